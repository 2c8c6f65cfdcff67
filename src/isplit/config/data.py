"""The data set of a config."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from isplit.config.values import plain
from isplit.data import ImageData
from isplit.data import build_data as _build_data


def build_data(cfg: DictConfig) -> ImageData:
    """The data set of ``cfg.data``."""
    keys = plain(cfg.data)
    return _build_data(
        keys.pop("name"),
        root=_path(keys.pop("root", None)),
        cache_dir=Path(keys.pop("cache_dir")).expanduser(),
        **keys,
    )


def _path(value: str | None) -> Path | None:
    return None if value is None else Path(value).expanduser()
