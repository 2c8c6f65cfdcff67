"""Training the baseline, the bottleneck and the split model, each once, kept in a store."""

from isplit.stages.fit import LOSSES, OPTIMIZERS, SCHEDULES, Engine, Recipe, seeded
from isplit.stages.runner import Workbench, autoencoder, baseline, finetune, tested
from isplit.stages.store import Made, Store, Stored, fingerprint

__all__ = [
    "LOSSES",
    "OPTIMIZERS",
    "SCHEDULES",
    "Engine",
    "Made",
    "Recipe",
    "Store",
    "Stored",
    "Workbench",
    "autoencoder",
    "baseline",
    "finetune",
    "fingerprint",
    "seeded",
    "tested",
]
