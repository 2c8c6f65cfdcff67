"""Training the baseline, the bottleneck and the split model, each once, kept in a store."""

from isplit.stages.fit import Engine
from isplit.stages.preemption import PREEMPTED, Preempted, preemptible
from isplit.stages.recipe import (
    LOSSES,
    OPTIMIZERS,
    RECONSTRUCTIONS,
    SCHEDULES,
    TAUGHT,
    Recipe,
)
from isplit.stages.runner import autoencoder, baseline, coded, finetune, tested
from isplit.stages.seeds import derived_seed, seeded
from isplit.stages.sending import Sending
from isplit.stages.source import source_hash
from isplit.stages.store import Made, Store, Stored, fingerprint
from isplit.stages.team import Team, teamed
from isplit.stages.workbench import Workbench

__all__ = [
    "LOSSES",
    "OPTIMIZERS",
    "PREEMPTED",
    "RECONSTRUCTIONS",
    "SCHEDULES",
    "TAUGHT",
    "Engine",
    "Made",
    "Preempted",
    "Recipe",
    "Sending",
    "Store",
    "Stored",
    "Team",
    "Workbench",
    "autoencoder",
    "baseline",
    "coded",
    "derived_seed",
    "finetune",
    "fingerprint",
    "preemptible",
    "seeded",
    "source_hash",
    "teamed",
    "tested",
]
