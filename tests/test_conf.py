"""Every option of every group composes, and every file of choices is reachable."""

import pytest
from omegaconf import OmegaConf
from pipeline.jobs import ROOT, compose_job

GROUPS = ("data", "model", "split", "bottleneck", "stage", "trainer", "logger", "experiment")
NEEDED = {"model=custom": ("model.net._target_=cases.Residual",)}
OPTIONS = [
    f"{group}={path.stem}"
    for group in GROUPS
    for path in sorted((ROOT / "conf" / group).glob("*.yaml"))
    if not path.stem.startswith("_")
]


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_composes_and_resolves(option, tmp_path):
    cfg = compose_job(tmp_path, option, "data.root=somewhere", *NEEDED.get(option, ()))
    assert OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
