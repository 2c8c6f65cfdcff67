"""The tensor at the split point in few bytes: codecs, their payloads, and calibrated profiles.

    codec = from_config({"name": "ans", "bits": 4})   # any of CODECS
    payloads = codec.encode(features)                 # (N, ...) -> N payloads, self-contained
    features = codec.decode(payloads)                 # float32; PayloadError on anything else

    profile = calibrate(codec, calibration_features)  # ranges and probabilities
    profile.save("codec.json")                        # one file for device and server
    codec = bound_codec(load_profile("codec.json"))   # payloads without ranges and tables
    payloads = codec.encode(features)                 # 8 bytes around the body

Needs numpy. Where numba is installed the loops are compiled; the bytes are the same without it.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from isplit.codec.calibration import calibrate
from isplit.codec.codec import NAMES, Codec
from isplit.codec.levels import Levels
from isplit.codec.payload import LIMIT_BYTES, PayloadError
from isplit.codec.plain import Jpeg, Plain
from isplit.codec.profile import Profile, load_profile

CODECS: dict[str, type[Codec]] = dict.fromkeys(NAMES, Levels) | {"plain": Plain, "jpeg": Jpeg}
"""The class of each codec, by name."""


def from_config(config: Mapping[str, Any]) -> Codec:
    """The codec that :meth:`Codec.get_config` described, or any other description of one.

    Examples:
        >>> from_config({"name": "rle", "bits": 3}).get_config()["bits"]
        3

    Raises:
        ValueError: an unknown name, a setting that the codec does not have, or a wrong value.
    """
    name = config.get("name")
    if name not in [*CODECS]:  # a name of anybody's file may not be hashable
        raise ValueError(f"codec={name!r} is none of: {', '.join(CODECS)}")
    settings = {f.name for f in fields(CODECS[name])} - {"profile"}
    if unknown := set(config) - settings:
        known = ", ".join(sorted(settings - {"name"}))
        raise ValueError(f"codec={name} has no {', '.join(sorted(unknown))}; it has: {known}")
    return CODECS[name](**config)


def bound_codec(profile: Profile) -> Codec:
    """The codec that a profile was made for, bound to it."""
    return from_config(profile.config).bound(profile)


__all__ = ["CODECS", "LIMIT_BYTES", "Codec", "PayloadError", "Profile"]
__all__ += ["bound_codec", "calibrate", "from_config", "load_profile"]
