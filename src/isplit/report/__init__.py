"""What a run shows to people: figures and tables."""
