"""From a composed and checked config (``isplit.keys``) to the objects of a job."""

from isplit.config.data import build_data
from isplit.config.logger import job_id, loggers
from isplit.config.model import (
    baseline_recipe,
    brings_weights,
    build_model,
    model_description,
    model_keys,
)
from isplit.config.names import data_name, model_name
from isplit.config.trainer import engine, in_sweep, launcher, team, use_threads
from isplit.config.values import (
    architecture,
    cui_settings,
    curve_rate_of,
    identity,
    limits,
    not_compressed,
    plain,
    rate_of,
    recipe,
    run_folders,
    sending,
    store_folder,
)

__all__ = [
    "architecture",
    "baseline_recipe",
    "brings_weights",
    "build_data",
    "build_model",
    "cui_settings",
    "curve_rate_of",
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
    "not_compressed",
    "plain",
    "rate_of",
    "recipe",
    "run_folders",
    "sending",
    "store_folder",
    "team",
    "use_threads",
]
