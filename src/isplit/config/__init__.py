"""From a composed Hydra config to the objects of a job; what contradicts itself is refused here."""

from isplit.config.checks import check, check_study
from isplit.config.data import build_data
from isplit.config.logger import job_id, loggers
from isplit.config.model import baseline_recipe, build_model, model_description, model_keys
from isplit.config.names import data_name, model_name
from isplit.config.trainer import engine, in_sweep, launcher, team, use_threads
from isplit.config.values import (
    architecture,
    cui_settings,
    identity,
    limits,
    plain,
    rate_of,
    recipe,
    run_folders,
)

__all__ = [
    "architecture",
    "baseline_recipe",
    "build_data",
    "build_model",
    "check",
    "check_study",
    "cui_settings",
    "data_name",
    "engine",
    "identity",
    "in_sweep",
    "job_id",
    "launcher",
    "limits",
    "loggers",
    "model_description",
    "model_keys",
    "model_name",
    "plain",
    "rate_of",
    "recipe",
    "run_folders",
    "team",
    "use_threads",
]
