"""Channels by name: the files of ``conf/channel``, and any file of that layout."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from isplit.network.channel import Channel

MISSING = "???"  # Hydra's mark of a figure that the user must give


def preset_folder() -> Path:
    """Where the presets of channels are."""
    here = Path(__file__)  # in the wheel conf/ lies in the package, in a checkout beside src/
    places = [here.parents[up] / "conf" / "channel" for up in (1, 3)]
    return next((place for place in places if place.is_dir()), places[-1])


def preset_names() -> list[str]:
    """The names that ``load_channel`` knows."""
    return sorted(path.stem for path in preset_folder().glob("*.yaml"))


def load_channel(name: str, **figures: Any) -> Channel:
    """The channel of a preset, or of a YAML file (``name`` ends in ``.yaml``).

    Args:
        name: of the preset, or the path of a file.
        figures: fields of ``Channel`` that take the place of what the file says.

    Raises:
        ValueError: there is no such preset or field, a figure that the preset leaves open is not
            given, or one that is given cannot be.

    >>> load_channel("geo_satellite", loss=0.01).round_trip_s
    0.6
    """
    import yaml  # here, so that the network imports without it

    path = Path(name) if name.endswith(".yaml") else preset_folder() / f"{name}.yaml"
    if not path.is_file():
        raise ValueError(
            f"channel={name!r} is neither a file nor one of {', '.join(preset_names())}"
        )
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"channel={name!r}: {path} is not YAML: {error}") from error
    if not isinstance(read, dict):
        raise ValueError(f"channel={name!r}: {path} does not hold keys and values")
    known = [field.name for field in fields(Channel)]
    if unknown := sorted({str(key) for key in {**read, **figures}} - set(known)):
        raise ValueError(f"channel.{unknown[0]} is unknown; known are {', '.join(known)}")
    values = {**read, **figures}
    if missing := [key for key, value in values.items() if value == MISSING]:
        raise ValueError(f"channel.{missing[0]} must be given: {name} has no source for it")
    if absent := [key for key in ("up_bit_s", "down_bit_s", "round_trip_s") if key not in values]:
        raise ValueError(f"channel.{absent[0]} must be given: {path} does not say it")
    return Channel(**values)


def save_channel(channel: Channel, path: Path) -> None:
    """Write a channel as a file that ``load_channel`` and Hydra read."""
    import yaml

    part = path.with_name(f".{path.name}.part")
    part.write_text(yaml.safe_dump(asdict(channel), sort_keys=False), encoding="utf-8")
    part.replace(path)
