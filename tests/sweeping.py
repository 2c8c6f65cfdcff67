"""``python train.py -m`` within the test's own process, and the jobs it stands for."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode
from pipeline.jobs import DATA, ROOT, SMALLEST
from torch import nn

from isplit import runs
from isplit.sweeps.jobs import Job


def jobs(root: Path, *arguments: str) -> list[Job]:
    """The jobs of ``python train.py -m`` with these overrides; none is run."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        cfg = loader.load_configuration("train", _where(root), run_mode=RunMode.MULTIRUN)
        context = HydraContext(config_loader=loader, callbacks=Callbacks(cfg))
        sweeper = Plugins.instance().instantiate_sweeper(
            config=cfg, hydra_context=context, task_function=print
        )
        return sweeper.jobs(arguments)


def sweep(root: Path, *arguments: str, folder: str = "sweep", job: Callable = runs.train) -> int:
    """Exit status of ``python train.py -m`` with these overrides, writing below ``root``."""
    where = [*_where(root), f"hydra.sweep.dir={root / folder}", "hydra.mode=MULTIRUN"]
    overrides = [*SMALLEST, *where, *arguments]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3", job_name="train"):
        try:
            GlobalHydra.instance().hydra.multirun("train", partial(runs.command, job), overrides)
        except SystemExit as stop:
            return stop.code
    return 0


def numbered() -> nn.Module:
    """A net whose modules are called 0, 1, 2 ..., as those of ``nn.Sequential`` are."""
    convolutions = [nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3)]
    return nn.Sequential(*convolutions, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))


def _where(root: Path) -> list[str]:
    return [f"paths.root={root}", f"paths.data={DATA}"]
