"""Who is told what a job does: W&B by default, any Lightning logger besides, progress on screen."""

from isplit.tracking.progress import EpochLines, progress_callbacks
from isplit.tracking.results import log_artifact, log_findings, log_summary
from isplit.tracking.run import MODES, forgiving, has_key, wandb_mode, wandb_run

__all__ = [
    "MODES",
    "EpochLines",
    "forgiving",
    "has_key",
    "log_artifact",
    "log_findings",
    "log_summary",
    "progress_callbacks",
    "wandb_mode",
    "wandb_run",
]
