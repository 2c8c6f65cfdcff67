"""Jobs for the pipeline tests: composed as Hydra would, tiny, in a folder of their own."""

import atexit
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

ROOT = Path(__file__).parents[2]
DATA = Path(tempfile.mkdtemp(prefix="isplit-letters-"))  # drawn once for all jobs of this process
atexit.register(shutil.rmtree, DATA, ignore_errors=True)
SMALLEST = (
    "trainer=smoke",
    "logger=none",
    "trainer.progress=none",
    "data.images_per_class=20",
    "stage.baseline.epochs=2",
    "stage.autoencoder.epochs=2",
    "split.images=40",
    "split.layer=block3_pool",
)


def compose_job(root: Path, *overrides: str, output: str = "job") -> DictConfig:
    """The config of ``python train.py`` with these overrides, writing below ``root``."""
    where = (f"paths.root={root}", f"paths.output={root / output}", f"paths.data={DATA}")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return compose("train", [*SMALLEST, *where, *overrides])


def start_job(root: Path, *overrides: str, **keys) -> subprocess.Popen:
    """``python train.py`` with these overrides, as a user would start it."""
    command = [sys.executable, str(ROOT / "train.py"), *SMALLEST, *overrides]
    where = [f"paths.root={root}", f"paths.data={DATA}"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command + where, **(pipes | keys), env=environment, cwd=ROOT)


@contextlib.contextmanager
def undrawn():
    """Figures, which take a third of a job, are empty files, and no page has them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("isplit.report.findings.save", _empty)
        patch.setattr("isplit.report.page.inlined", lambda *_: "")
        yield


def _empty(figure, path: Path, suffixes=(".png", ".svg")) -> list[Path]:
    files = [path.with_name(path.name + suffix) for suffix in suffixes]
    path.parent.mkdir(parents=True, exist_ok=True)
    for file in files:
        file.touch()
    return files
