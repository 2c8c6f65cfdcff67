"""The study of latency: what a frame costs in every design, and which design fits."""
