"""The keys of ``conf/``: what each takes, composed and checked without importing torch."""

from isplit.keys.check import checked, plain
from isplit.keys.compose import composed, one_line, single
from isplit.keys.conf import conf_folder
from isplit.keys.help import help_of

__all__ = ["checked", "composed", "conf_folder", "help_of", "one_line", "plain", "single"]
