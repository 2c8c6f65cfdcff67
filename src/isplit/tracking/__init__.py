"""Who is told what a job does: W&B by default, any Lightning logger besides, progress on screen."""

from isplit.tracking.progress import EpochLines as EpochLines
from isplit.tracking.progress import progress_callbacks as progress_callbacks
from isplit.tracking.results import log_artifact as log_artifact
from isplit.tracking.results import log_findings as log_findings
from isplit.tracking.results import log_summary as log_summary
from isplit.tracking.run import MODES as MODES
from isplit.tracking.run import forgiving as forgiving
from isplit.tracking.run import has_key as has_key
from isplit.tracking.run import wandb_mode as wandb_mode
from isplit.tracking.run import wandb_run as wandb_run
