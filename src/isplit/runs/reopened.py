"""What a run worked with, opened again; nothing is called or fetched at its folder's word."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from omegaconf import DictConfig, OmegaConf
from torch import nn

from isplit import config
from isplit.importance.curve import CuiSettings
from isplit.keys.words import targets
from isplit.runs.base import Base, code_of, description_of, traced_of, untrained, workbench
from isplit.stages import Store, Stored, Workbench, seeded
from isplit.studies.collect import Run, why


def reopened(cfg: DictConfig, run: Run) -> Base:
    """Data and trained baseline of a run; its folder decides nothing but which they are.

    Raises:
        ValueError: the baseline is not in the store, or was made from something else; it would
            take code that nobody vouches for.
        FileNotFoundError: the images are not where the run found them.
    """
    refuse_code(cfg, run)
    job = _job_of(cfg, run)
    stored = _stored(cfg, run)
    return reopen_baseline(job, workbench(job), stored)


def reopened_or_why_not(cfg: DictConfig, run: Run) -> Base | str:
    """The same; or, where something is gone or odd, what it is."""
    try:
        return reopened(cfg, run)
    except Exception as error:  # a config from elsewhere may hold any values
        return why(error)


def reopen_baseline(
    cfg: DictConfig, bench: Workbench, stored: Stored, *, trained: bool = True
) -> Base:
    """A baseline that an earlier job left in the store; or the same net with random weights.

    These are the ones it was made with, where no others were given; else new ones, since a net that
    came with weights, or of the user's own, need not have been random.

    Raises:
        ValueError: it was made from other data or another net than those of ``cfg``.
    """
    keys = config.model_keys(cfg, bench.data)
    _refuse_another(stored, description_of(cfg, keys), bench.data.fingerprint)
    net, traced, points = untrained(cfg, bench, keys)
    _refuse_another(stored, {"code": code_of(net, traced)}, bench.data.fingerprint)
    if trained:
        net.load_state_dict(stored.made.weights)
    told: dict[str, Any] = {} if trained else {"trained": False}
    if not trained and ("net" in keys or keys.get("weights") is not None):
        told["weights"] = "forgotten"
        with seeded(cfg.seed, "random"):
            _forget(net)
    return Base(cfg, bench, keys, stored, traced_of(net, bench), points, told)


def refuse_code(cfg: DictConfig, run: Run) -> None:
    """Refuse a run whose net is made by a call, unless the store has it on record.

    Raises:
        ValueError: names what would be called.
    """
    net = run.config["model"].get("net")
    if net is None or cfg.study.get("allow_code"):
        return
    with suppress(ValueError):
        if _stored(cfg, run).recipe["model"].get("net") == net:
            return
    called = ", ".join(targets(net).values()) or net
    raise ValueError(
        f"model.net calls {called}, which is not in this store's record of the baseline: "
        "not called; study.allow_code=true calls it"
    )


def merged(cfg: DictConfig, changes: Mapping[str, Any]) -> DictConfig:
    """A config with some values changed."""
    changed = OmegaConf.merge(cfg, dict(changes))
    assert isinstance(changed, DictConfig)
    return changed


def _refuse_another(stored: Stored, description: Mapping[str, Any], images: str) -> None:
    """Say in what the recipe of a stored baseline differs from the data and net at hand.

    What only one of them knows is of another version. Before there was a digest, images and code
    were hashed in other ways, which cannot be compared.
    """
    recorded = stored.recipe["model"]
    common = recorded.keys() & description.keys() - (set() if stored.checked else {"code"})
    found = [
        f"model.{name} was {recorded[name]!r} and is {description[name]!r}"
        for name in sorted(common)
        if recorded[name] != description[name]
    ]
    if stored.checked and stored.recipe["data"] != images:
        found.append("the images, classes or their preparation are not those it was trained on")
    if found:
        raise ValueError(f"the baseline {stored.fingerprint} is another: {'; '.join(found)}")


def _forget(net: nn.Module) -> None:
    """Begin every layer anew; parameters that belong to no layer, as tokens do, become noise."""
    for module in net.modules():
        begin = getattr(module, "reset_parameters", None)
        if begin is not None:
            begin()
        else:
            for parameter in module.parameters(recurse=False):
                nn.init.normal_(parameter, std=0.02)


def _stored(cfg: DictConfig, run: Run) -> Stored:
    store = Store(config.store_folder(cfg), {})
    return store.read("baseline", run.result.stages["baseline"].fingerprint)


def _job_of(cfg: DictConfig, run: Run) -> DictConfig:
    """The config of the run's job; folders, downloads, device and curve are the analysis's own."""
    study, recorded = cfg.study, run.config["trainer"].get("accelerator", "auto")
    one_device = {"devices": 1, "strategy": "auto", "num_nodes": 1, "precision": "32-true"}
    trainer = {"accelerator": recorded, "threads": cfg.threads, "progress": "none"}
    job = OmegaConf.create(dict(run.config) | {"trainer": trainer | one_device, "logger": {}})
    data = {"cache_dir": cfg.paths.cache, "download": study.download}
    if study.data_root is not None:
        data["root"] = study.data_root
    paths = {"store": cfg.paths.store, "cache": cfg.paths.cache}
    curve = {"images": study.images, "batch_size": study.batch_size, "classes": None}
    split = curve | {"cui": asdict(CuiSettings())}
    return merged(job, {"data": data, "paths": paths, "split": split})
