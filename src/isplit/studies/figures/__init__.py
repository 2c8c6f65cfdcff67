"""Figures that studies share, drawn without a display."""
