"""The keys of ``conf/``: what each takes, composed and checked without importing torch."""

from isplit.files import conf_folder as conf_folder
from isplit.keys.check import architecture as architecture
from isplit.keys.check import checked as checked
from isplit.keys.check import plain as plain
from isplit.keys.check import refuse_misfits as refuse_misfits
from isplit.keys.compose import composed as composed
from isplit.keys.compose import one_line as one_line
from isplit.keys.compose import own_choices as own_choices
from isplit.keys.compose import single as single
from isplit.keys.help import help_of as help_of
