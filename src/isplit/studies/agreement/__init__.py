"""Does a ranking agree with the accuracy that was measured: every predictor, every condition."""

from isplit.report.table import words_of

TEXTS = words_of("studies.agreement")
"""``captions`` of figures, what each ``needs``, ``words`` of the numbers, tables' ``columns``."""
