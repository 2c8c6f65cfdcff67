"""Do some classes want another split point: I-SPLIT section IV-B, Fig. 8."""
