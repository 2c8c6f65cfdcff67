"""What every codec has: a batch of samples to payloads and back, in either form of payload."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from isplit.codec import payload as wire
from isplit.codec.payload import LIMIT_BYTES, MAX_DIMENSIONS, Header, PayloadError
from isplit.codec.profile import Profile

Array = NDArray[Any]
Coded = list[tuple[Header, bytes]]
NAMES = ("plain", "quantize", "rle", "zlib", "zstd", "lz4", "blosc2", "pcodec", "ans", "jpeg")
"""In the order of their numbers on the wire."""
ID_BYTES = 3


@dataclass(frozen=True, kw_only=True)
class Codec(ABC):
    """One payload for each sample of a batch.

    Attributes:
        name: of the codec, one of ``NAMES``.
        profile: what both sides hold; payloads are then *bound* to it (8 bytes around the body).
            None: payloads are *self-contained*.
    """

    name: str
    profile: Profile | None = field(default=None, repr=False)
    decoded_type: ClassVar[type[np.generic]] = np.float32

    def encode(self, features: ArrayLike) -> list[bytes]:
        """The payloads of a batch (N, ...), one a sample; a sample has up to 6 dimensions.

        Features of other types are rounded to float32 first.

        Raises:
            ValueError: no batch, NaN or infinity, or not the shape of the profile.
        """
        batch = as_array(features)
        if not batch.ndim:
            raise ValueError("encode takes a batch (N, ...); a single sample x is x[None]")
        shape = batch.shape[1:]
        if len(shape) > MAX_DIMENSIONS:
            raise ValueError(f"samples of shape {shape} have over {MAX_DIMENSIONS} axes")
        if self.profile and shape != self.profile.shape:
            raise ValueError(f"samples of shape {shape} where the profile has {self.profile.shape}")
        return [self._framed(*coded) for coded in self._pack(batch)] if len(batch) else []

    def decode(self, payloads: Sequence[bytes], limit_bytes: int = LIMIT_BYTES) -> Array:
        """The batch (N, ...) of the samples that the payloads hold, float32 unless images.

        Args:
            payloads: at least one, all of the same shape.
            limit_bytes: of one decoded sample as float32; larger ones are refused unopened.
                What decoding takes in all is at most four times as much.

        Raises:
            PayloadError: damaged, cut off, of another codec or profile, or above the limit.
        """
        if isinstance(payloads, bytes | bytearray | memoryview):
            raise PayloadError("decode takes a list of payloads; a single payload p is [p]")
        if self.profile:
            wire.refuse_large(self.profile.shape, limit_bytes)
        opened = [self._opened(bytes(memoryview(one)), limit_bytes) for one in payloads]
        if len({header.shape for header, _ in opened}) != 1:
            raise PayloadError("decode takes payloads of one shape, and at least one")
        batch = np.empty((len(opened), *opened[0][0].shape), self.decoded_type)
        for place, (header, body) in enumerate(opened):
            self._unpack(header, body, batch[place : place + 1])
        return batch

    def get_config(self) -> dict[str, Any]:
        """What :func:`isplit.codec.from_config` makes this codec of again, as JSON can hold it."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "profile"}

    def bound(self, profile: Profile) -> Self:
        """This codec with a profile; its payloads can only be decoded with the same.

        Raises:
            ValueError: the profile was made for other settings.
        """
        same = {*profile.config} <= {f.name for f in fields(self)}
        if not same or type(self)(**profile.config) != replace(self, profile=None):
            raise ValueError(f"the profile is of {dict(profile.config)}, not {self.get_config()}")
        return replace(self, profile=profile)

    @abstractmethod
    def _pack(self, batch: Array) -> Coded: ...

    @abstractmethod
    def _unpack(self, header: Header, body: bytes, sample: Array) -> None:
        """Fill a batch (1, ...) of one sample."""

    @abstractmethod
    def _header(self, shape: tuple[int, ...]) -> Header: ...

    def _framed(self, header: Header, body: bytes) -> bytes:
        if self.profile is None:
            return wire.sealed(header.to_bytes(len(body)), body)
        digest = self.profile.digest
        return wire.sealed(digest[:ID_BYTES] + bytes([header.packed]), body, key=digest)

    def _opened(self, payload: bytes, limit_bytes: int) -> tuple[Header, bytes]:
        if self.profile is None:
            header, body = wire.parsed(wire.unsealed(payload), limit_bytes)
            expected = self._header(header.shape)
            if header not in (expected, replace(expected, packed=True)):
                raise PayloadError(f"made by other settings than {self.get_config()}")
            return header, body
        content = wire.unsealed(payload, key=self.profile.digest)
        known = self._heads.get(content[: ID_BYTES + 1])
        if known is None:
            raise PayloadError("not a payload of this profile")
        return known, content[ID_BYTES + 1 :]

    @cached_property
    def _heads(self) -> dict[bytes, Header]:
        """What a bound payload begins with, and the header that it stands for."""
        assert self.profile
        begin, header = self.profile.digest[:ID_BYTES], self._header(self.profile.shape)
        return {begin + bytes([way]): replace(header, packed=way) for way in (False, True)}


def check_whole(key: str, value: Any, low: int, high: int) -> None:
    """Refuse a setting that is no whole number from ``low`` to ``high``."""
    if not (isinstance(value, Integral) and low <= int(value) <= high):
        raise ValueError(f"codec.{key}={value!r} is no whole number from {low} to {high}")


def as_array(features: Any) -> Array:
    """Features as an array: of numpy, of lists, or a torch tensor (torch is not imported).

    Raises:
        ValueError: they are not real numbers.
    """
    if hasattr(features, "detach"):
        features = features.detach().cpu()
        if str(features.dtype) == "torch.bfloat16":  # numpy has no such type; float32 holds it
            features = features.float()
    array = np.asarray(features)
    if array.dtype.kind in "cOSU":
        raise ValueError(f"features of type {array.dtype} are not real numbers")
    return array
