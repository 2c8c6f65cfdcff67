"""Who is told what a job does: W&B by default, any Lightning logger besides, progress on screen."""

from isplit.tracking.progress import EpochLines, progress_callbacks
from isplit.tracking.results import log_artifact, log_findings, log_summary
from isplit.tracking.run import MODES, wandb_mode, wandb_run

__all__ = [
    "MODES",
    "EpochLines",
    "log_artifact",
    "log_findings",
    "log_summary",
    "progress_callbacks",
    "wandb_mode",
    "wandb_run",
]
