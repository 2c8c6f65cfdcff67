"""Does a ranking agree with the accuracy that was measured: every predictor, every condition."""
