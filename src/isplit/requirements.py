"""What an application asks for, what a design gives, and what the second misses of the first."""

from __future__ import annotations

import math
from dataclasses import dataclass

SCENARIOS = {"LC": "local computing", "RC": "remote computing", "SC": "split computing"}
AT_LEAST = ("accuracy", "frames_per_s")
FIGURES = (
    *("accuracy", "p95_ms", "frames_per_s", "device_memory_bytes", "device_macs", "energy_J"),
    "payload_bytes",
)


@dataclass(frozen=True)
class Requirement:
    """What is asked of a design; ``None``: nothing.

    Attributes:
        accuracy: at least, 0..1.
        p95_ms: latency that 95 % of the frames keep.
        frames_per_s: at least.
        device_memory_bytes: at most, for weights and features on the device.
        device_macs: at most, a frame.
        energy_J: at most, of the device a frame.
        payload_bytes: at most, a frame.
        prefer: the figure by which designs that fit are ranked; ``None``: latency where an accuracy
            is asked for, else accuracy.
    """

    accuracy: float | None = None
    p95_ms: float | None = None
    frames_per_s: float | None = None
    device_memory_bytes: float | None = None
    device_macs: float | None = None
    energy_J: float | None = None  # noqa: N815
    payload_bytes: float | None = None
    prefer: str | None = None

    def __post_init__(self) -> None:
        for key in FIGURES:
            value = getattr(self, key)
            if value is not None and not (_is_number(value) and value > 0):
                raise ValueError(f"requirement.{key}={value!r} is no number above 0")
        if self.accuracy is not None and self.accuracy > 1:
            raise ValueError(f"requirement.accuracy={self.accuracy!r} is above 1 (0.9 means 90 %)")
        if self.prefer not in (None, *FIGURES):
            raise ValueError(f"requirement.prefer={self.prefer!r} is none of: {', '.join(FIGURES)}")

    @property
    def ranked_by(self) -> str:
        """The figure that decides among designs that fit."""
        return self.prefer or ("accuracy" if self.accuracy is None else "p95_ms")


@dataclass(frozen=True)
class Design:
    """One way to run the net, and what it comes to; ``None``: not known.

    Attributes:
        name: for people, such as ``layer3.2, rate 0.9, rle``; no two designs share one.
        scenario: ``LC`` (all on the device), ``RC`` (all on the server) or ``SC`` (split).
        accuracy: 0..1; ``accuracy_low`` and ``accuracy_high`` are its interval where it was
            predicted, and ``None`` where it was measured.
        p95_ms: latency that 95 % of the frames keep.
        frames_per_s: that device, channel and server carry.
        device_memory_bytes: weights and features on the device.
        device_macs: multiply-accumulates of the device for a frame.
        energy_J: of the device for a frame.
        payload_bytes: sent for a frame.
        layer, rate, codec: of the split, where there is one.
    """

    name: str
    scenario: str
    accuracy: float | None = None
    p95_ms: float | None = None
    frames_per_s: float | None = None
    device_memory_bytes: float | None = None
    device_macs: float | None = None
    energy_J: float | None = None  # noqa: N815
    payload_bytes: float | None = None
    accuracy_low: float | None = None
    accuracy_high: float | None = None
    layer: str | None = None
    rate: float | None = None
    codec: str | None = None

    def __post_init__(self) -> None:
        if self.scenario not in SCENARIOS:
            raise ValueError(f"scenario={self.scenario!r} is none of: {', '.join(SCENARIOS)}")
        for key in (*FIGURES, "accuracy_low", "accuracy_high"):
            value = getattr(self, key)
            if value is not None and not (_is_number(value) and value >= 0):
                raise ValueError(f"{key}={value!r} of design {self.name} is no number from 0 on")
        bounds = (self.accuracy_low, self.accuracy, self.accuracy_high)
        given = [bound for bound in bounds if bound is not None]
        if given != sorted(given) or given[-1:] > [1] or len(given) == len(bounds) - 1:
            raise ValueError(
                f"accuracy={self.accuracy!r} of design {self.name} must lie in 0..1, and in its "
                f"interval, of which both ends are given or none: {bounds[0]!r} to {bounds[2]!r}"
            )

    @property
    def predicted(self) -> bool:
        """Whether the accuracy is a prediction."""
        return self.accuracy_low is not None


@dataclass(frozen=True)
class Miss:
    """A requirement that a design does not meet.

    ``by`` is in the unit of the requirement; it and ``got`` are ``None`` where nobody knows. For a
    predicted accuracy ``got`` is the low end of its interval.
    """

    requirement: str
    wanted: float
    got: float | None
    by: float | None

    def __str__(self) -> str:
        if self.got is None or self.by is None:
            return f"{self.requirement} is not known ({as_text(self.wanted)} asked)"
        got, wanted, by = map(as_text, (self.got, self.wanted, self.by))
        return f"{self.requirement} is {got} and misses {wanted} by {by}"


def misses(design: Design, requirement: Requirement) -> tuple[Miss, ...]:
    """Every requirement that a design does not meet."""
    found = []
    for key in FIGURES:
        wanted, got = getattr(requirement, key), getattr(design, key)
        if key == "accuracy" and design.predicted:
            got = design.accuracy_low
        if wanted is None:
            continue
        by = None if got is None else (wanted - got if key in AT_LEAST else got - wanted)
        if by is None or by > 0:
            found.append(Miss(key, wanted, got, by))
    return tuple(found)


def _is_number(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(float(value))  # type: ignore[arg-type]


def as_text(value: float) -> str:
    """A figure for people: four digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
