"""What an application asks for, what a design gives, and what the second misses of the first."""

from dataclasses import KW_ONLY, dataclass, fields
from math import inf

from isplit.presets import ABOVE_0, FINITE, check, check_choice

SCENARIOS = {"LC": "local computing", "RC": "remote computing", "SC": "split computing"}
AT_LEAST = ("accuracy", "frames_per_s")


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a design gives or is asked for, a frame; ``None``: not known, or nothing.

    Attributes:
        accuracy: 0..1.
        p95_ms: latency that 95 % of the frames keep.
        frames_per_s: that device, channel and server carry.
        device_memory_bytes: weights and features on the device.
        device_macs: multiply-accumulates of the device.
        energy_J: of the device.
        payload_bytes: sent to the server.
    """

    accuracy: float | None = None
    p95_ms: float | None = None
    frames_per_s: float | None = None
    device_memory_bytes: float | None = None
    device_macs: float | None = None
    energy_J: float | None = None  # noqa: N815
    payload_bytes: float | None = None


FIGURES = tuple(field.name for field in fields(Figures))


@dataclass(frozen=True, kw_only=True)
class Requirement(Figures):
    """What is asked of a design: accuracy and frames at least, all else at most.

    Attributes:
        prefer: the figure by which designs that fit are ranked; ``None``: latency where an accuracy
            is asked for, else accuracy.
    """

    prefer: str | None = None

    def __post_init__(self) -> None:
        check(self, "requirement", **dict.fromkeys(FIGURES, (ABOVE_0[0], FINITE[1])))
        if self.accuracy is not None and self.accuracy > 1:
            raise ValueError(f"requirement.accuracy={self.accuracy!r} is above 1 (0.9 means 90 %)")
        if self.prefer is not None:
            check_choice(self.prefer, "requirement.prefer", FIGURES)

    @property
    def ranked_by(self) -> str:
        """The figure that decides among designs that fit."""
        return self.prefer or ("accuracy" if self.accuracy is None else "p95_ms")


@dataclass(frozen=True)
class Design(Figures):
    """One way to run the net, and what it comes to.

    Attributes:
        name: for people, such as ``layer3.2, rate 0.9, rle``; no two designs share one.
        scenario: ``LC`` (all on the device), ``RC`` (all on the server) or ``SC`` (split).
        accuracy_low, accuracy_high: its interval where it was predicted; ``None``: measured.
        layer, rate, codec: of the split, where there is one.
    """

    name: str
    scenario: str
    _: KW_ONLY
    accuracy_low: float | None = None
    accuracy_high: float | None = None
    layer: str | None = None
    rate: float | None = None
    codec: str | None = None

    def __post_init__(self) -> None:
        check_choice(self.scenario, "scenario", tuple(SCENARIOS))
        bounded = (*FIGURES, "accuracy_low", "accuracy_high")
        check(self, f"design {self.name}", **dict.fromkeys(bounded, FINITE))
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
        wanted, got = getattr(requirement, key), counted(design, key)
        if wanted is None:
            continue
        by = None if got is None else (wanted - got if key in AT_LEAST else got - wanted)
        if by is None or by > 0:
            found.append(Miss(key, wanted, got, by))
    return tuple(found)


def counted(design: Design, key: str) -> float | None:
    """A figure as it is held against others: of a predicted accuracy the low end."""
    low = key == "accuracy" and design.predicted
    found: float | None = design.accuracy_low if low else getattr(design, key)
    return found


def cost(design: Design, key: str) -> float:
    """A figure, the lower the better; infinite where it is not known."""
    value = counted(design, key)
    return inf if value is None else (-value if key in AT_LEAST else value)


def as_text(value: float) -> str:
    """A figure for people: four digits."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
