"""Hydra finds the sweeper of isplit here; what it does is in ``isplit.sweeps``."""
