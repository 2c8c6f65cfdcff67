"""Who is told what a job does: W&B by default, any Lightning logger besides, progress on screen."""

from isplit.tracking.agreement import log_agreement
from isplit.tracking.progress import EpochLines, progress_callbacks
from isplit.tracking.results import (
    Table,
    flat_result,
    log_artifact,
    log_charts,
    log_result,
    log_summary,
    log_tables,
)
from isplit.tracking.run import MODES, forgiving, has_key, wandb_mode, wandb_run

__all__ = [
    "MODES",
    "EpochLines",
    "Table",
    "flat_result",
    "forgiving",
    "has_key",
    "log_agreement",
    "log_artifact",
    "log_charts",
    "log_result",
    "log_summary",
    "log_tables",
    "progress_callbacks",
    "wandb_mode",
    "wandb_run",
]
