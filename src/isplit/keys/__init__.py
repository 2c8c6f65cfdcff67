"""The keys of ``conf/``: what each takes, composed and checked without importing torch."""

from isplit.files import conf_folder
from isplit.keys.check import architecture, checked, plain, refuse_misfits
from isplit.keys.compose import composed, one_line, own_choices, single
from isplit.keys.help import help_of

__all__ = ["architecture", "checked", "composed", "plain", "refuse_misfits", "single"]
__all__ += ["conf_folder", "help_of", "one_line", "own_choices"]
