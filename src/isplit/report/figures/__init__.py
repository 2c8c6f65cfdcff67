"""Figures as PNG and SVG, drawn without a display and written whole or not at all."""

from isplit.report.figures.curve import curve_figure

__all__ = ["curve_figure"]
