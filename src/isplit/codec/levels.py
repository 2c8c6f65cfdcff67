"""The codecs of quantised levels: what they share; each coder of levels has its own file."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isplit.codec import ans, bits, library, rle
from isplit.codec.by_rate import MOST_BITS
from isplit.codec.codec import NAMES, Array, Codec, Coded, check_whole
from isplit.codec.form import DELTAS, Form
from isplit.codec.grid import RANGES, Grid, find_ranges, uniform
from isplit.codec.payload import Header, PayloadError

CODERS: Any = dict.fromkeys(NAMES, library) | {"quantize": bits, "rle": rle, "ans": ans}
PER = ("tensor", "channel")
CONTEXTS = ("neighbours", "channels")
_TOGETHER = 1 << 18  # elements that are coded at once: they stay in the cache from loop to loop


@dataclass(frozen=True, kw_only=True)
class Levels(Codec):
    """Features quantised to 2**bits levels, which the coder ``name`` writes.

    What a coder makes no smaller than plain packing is packed plainly instead.

    Attributes:
        name: ``quantize`` (packing alone), ``rle``, ``ans``, or a library: ``zlib``, ``zstd``,
            ``lz4``, ``blosc2``, ``pcodec``.
        bits: 1..8.
        per: one range for the ``tensor`` or one for each ``channel`` (the first axis).
        range: ``minmax``, or ``clip`` where a smaller range has a smaller squared error; of each
            sample, and sent; with a profile those of its calibration, which are not sent. With
            ``rate``, which needs a profile, the levels lie where they are worth their bits.
        delta: differences over ``rows``, ``columns`` or ``channels`` instead of the levels.
        context: of the probabilities of ``ans``: the ``neighbours`` of a level, or what other
            ``channels`` say of it as well, which is smaller and slower and needs a profile.
        effort: the library's level of compression; None: its usual one.
    """

    name: str = "ans"
    bits: int = 4
    per: str = "tensor"
    range: str = "minmax"
    delta: str = "none"
    context: str = "neighbours"
    effort: int | None = None

    def __post_init__(self) -> None:
        check_whole("bits", self.bits, 1, 8)
        if self.effort is not None and self.name in library.LIBRARIES:
            check_whole("effort", self.effort, *library.LIBRARIES[self.name][2:])
        choices = {"per": PER, "range": RANGES, "delta": DELTAS, "context": CONTEXTS}
        for key, allowed in choices.items():
            if (value := getattr(self, key)) not in allowed:
                raise ValueError(f"codec.{key}={value!r} is none of: {', '.join(allowed)}")
        if self.range == "rate" and self.bits > MOST_BITS:
            most = f"up to {MOST_BITS} bits"
            raise ValueError(f"codec.range=rate is for {most}, not codec.bits={self.bits}")
        if self.context != "neighbours" and self.name != "ans":
            raise ValueError(f"codec.context={self.context} is for codec=ans, not {self.name}")

    def form(self, shape: tuple[int, ...]) -> Form:
        """What the coder is told of a sample of this shape."""
        return self._bound_form or Form(shape, self.bits, None, self.name, self.effort, self.delta)

    @cached_property
    def _bound_form(self) -> Form | None:
        held, how = self.profile, (self.name, self.effort, self.delta)
        return Form(held.shape, self.bits, held.tables, *how, held.prediction) if held else None

    def levels(self, batch: Array) -> NDArray[np.uint8]:
        """What the coder codes of a batch (N, ...) by the profile's grid: (N, C, M).

        Raises:
            ValueError: no profile, NaN or infinity, or no axis to take differences over.
        """
        levels = self._calibrated().levels(self._planes(batch))
        return self.form(batch.shape[1:]).differences(levels)

    def _calibrated(self) -> Grid:
        if self.profile is None or self.profile.grid is None:
            raise ValueError(f"codec={self.name} has no grid: calibrate it, and bind it to that")
        return self.profile.grid

    def _planes(self, batch: Array) -> NDArray[np.float32]:
        form = self.form(batch.shape[1:])
        form.refuse_flat(ValueError)
        with np.errstate(over="ignore"):
            features = np.ascontiguousarray(batch, np.float32)
        return features.reshape(len(batch), *form.plane)

    def _header(self, shape: tuple[int, ...]) -> Header:
        codec, delta = NAMES.index(self.name), DELTAS.index(self.delta)
        return Header(codec, self.bits, 0, shape, delta, self.per == "channel")

    def _pack(self, batch: Array) -> Coded:
        shape = batch.shape[1:]
        if self.profile:
            some = max(1, _TOGETHER // max(1, batch[0].size))
            parts = (batch[k : k + some] for k in range(0, len(batch), some))
            return [one for part in parts for one in self._coded(self.levels(part), shape)]
        for key, value in {"context": "channels", "range": "rate"}.items():
            if getattr(self, key) == value:
                raise ValueError(f"codec.{key}={value} needs codec.calibration_images")
        coded: Coded = []
        for sample in self._planes(batch):
            low, high = find_ranges(sample[None], self.bits, self.per, self.range)
            levels = uniform(low, high, self.bits).levels(sample[None])
            ends = np.stack([low, high], 1).astype("<f4").tobytes()
            changes = self.form(shape).differences(levels)
            coded += [(header, ends + body) for header, body in self._coded(changes, shape)]
        return coded

    def _coded(self, levels: NDArray[np.uint8], shape: tuple[int, ...]) -> Coded:
        form, header = self.form(shape), self._header(shape)
        plain = replace(header, packed=True)
        if self.name == "rle" and self.bits == 1:  # two bits for a codeword of at most two levels
            return [(plain, body) for body in bits.pack(levels, form)]
        coded = [(header, body) for body in CODERS[self.name].pack(levels, form)]
        if self.name == "quantize":
            return coded
        large = [k for k, (_, body) in enumerate(coded) if len(body) >= form.packed_bytes]
        for k, body in zip(large, bits.pack(levels[large], form), strict=True):
            coded[k] = plain, body
        return coded

    def _unpack(self, header: Header, body: bytes, sample: Array) -> None:
        form = self.form(header.shape)
        form.refuse_flat(PayloadError)
        if self.profile:
            grid = self._calibrated()
        else:
            grid, body = self._sent_grid(header.rows, body)
        coder = bits if header.packed else CODERS[self.name]
        if coder is rle and self.delta == "none" and len(grid.values) == 1:
            return rle.unpack_values(body, form, grid.values[0], sample.reshape(-1))
        levels = form.summed(coder.unpack(body, form)[None])
        return grid.write_features(levels[0], sample.reshape(form.plane))

    def _sent_grid(self, rows: int, body: bytes) -> tuple[Grid, bytes]:
        if len(body) < 8 * rows:
            raise PayloadError(f"{len(body)} bytes do not hold {rows} ranges")
        ends = np.frombuffer(body, "<f4", 2 * rows).reshape(rows, 2)
        low, high = ends.T.astype(np.float32, order="C")
        with np.errstate(over="ignore", invalid="ignore"):
            if not np.isfinite(high - low).all() or (high < low).any():
                raise PayloadError("the ranges are not finite, or their ends are swapped")
        return uniform(low, high, self.bits), body[8 * rows :]
