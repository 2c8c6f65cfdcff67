"""Who is told what a job does: W&B by default, any Lightning logger besides, progress on screen."""

from isplit.tracking.loggers import forgiving as forgiving
from isplit.tracking.loggers import prefixed as prefixed
from isplit.tracking.progress import progress_callbacks as progress_callbacks
from isplit.tracking.results import log_findings as log_findings
from isplit.tracking.run import wandb_run as wandb_run
