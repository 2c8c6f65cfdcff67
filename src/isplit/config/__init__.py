"""From a composed and checked config (``isplit.keys``) to the objects of a job."""

from isplit.config.logger import data_name as data_name
from isplit.config.logger import job_id as job_id
from isplit.config.logger import loggers as loggers
from isplit.config.logger import model_name as model_name
from isplit.config.model import baseline_recipe as baseline_recipe
from isplit.config.model import brings_weights as brings_weights
from isplit.config.model import build_data as build_data
from isplit.config.model import build_model as build_model
from isplit.config.model import model_description as model_description
from isplit.config.model import model_keys as model_keys
from isplit.config.trainer import engine as engine
from isplit.config.trainer import in_sweep as in_sweep
from isplit.config.trainer import launcher as launcher
from isplit.config.trainer import team as team
from isplit.config.trainer import use_threads as use_threads
from isplit.config.values import architecture as architecture
from isplit.config.values import cui_settings as cui_settings
from isplit.config.values import curve_rate_of as curve_rate_of
from isplit.config.values import identity as identity
from isplit.config.values import limits as limits
from isplit.config.values import not_compressed as not_compressed
from isplit.config.values import plain as plain
from isplit.config.values import rate_of as rate_of
from isplit.config.values import recipe as recipe
from isplit.config.values import run_folders as run_folders
from isplit.config.values import store_folder as store_folder
