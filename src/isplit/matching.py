"""Which designs an application can use: ranked, with what each of the others misses."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from isplit.requirements import SCENARIOS, Design, Miss, Requirement, as_text, cost, misses

FRONT = ("accuracy", "p95_ms", "energy_J", "payload_bytes")
"""Figures in which a design of the Pareto front is not beaten in all at once."""


@dataclass(frozen=True)
class Rejection:
    """A design that does not fit, and every requirement that it misses."""

    design: Design
    misses: tuple[Miss, ...]


@dataclass(frozen=True)
class Match:
    """The answer.

    Attributes:
        sentence: for people.
        requirement: what was asked.
        ranked: designs that fit, the best first.
        rejected: the others, the nearest first.
        pareto: names of the designs, fitting or not, that no other beats in accuracy, latency,
            energy and payload together (what is not known counts as worst).
    """

    sentence: str
    requirement: Requirement
    ranked: tuple[Design, ...]
    rejected: tuple[Rejection, ...]
    pareto: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """The same as plain values, for ``designs.json``."""
        return asdict(self) | {"ranked_by": self.requirement.ranked_by}


def match(designs: Sequence[Design], requirement: Requirement) -> Match:
    """Which designs meet a requirement, which does so best, and what the others miss.

    Of a predicted accuracy the low end of its interval counts, for the order too. What is required
    but not known is missed.

    Raises:
        ValueError: there are no designs, or two of the same name.
    """
    names = [design.name for design in designs]
    if not names:
        raise ValueError("there are no designs to match with the requirement")
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two designs are called {double[0]!r}")
    found = [Rejection(design, misses(design, requirement)) for design in designs]
    by = requirement.ranked_by
    ranked = [rejection.design for rejection in found if not rejection.misses]
    ranked.sort(key=lambda design: [cost(design, key) for key in (by, *FRONT)])
    rejected = sorted((r for r in found if r.misses), key=lambda r: _distance(r.misses))
    sentence = _fitting(ranked, rejected, by) if ranked else _nothing(rejected[0])
    return Match(sentence, requirement, tuple(ranked), tuple(rejected), pareto(designs))


def pareto(designs: Sequence[Design]) -> tuple[str, ...]:
    """Names of the designs that no other equals in all of ``FRONT`` and beats in one."""
    front = unbeaten([[cost(design, key) for key in FRONT] for design in designs])
    return tuple(designs[place].name for place in front)


def unbeaten(costs: Sequence[Sequence[float]]) -> list[int]:
    """Places of the rows that no other row equals in all costs and beats in one.

    >>> unbeaten([[1, -0.5], [2, -0.4], [3, -0.8], [3, -0.9]])
    [0, 3]
    """
    rows = np.array(costs)
    beaten = [((rows <= row).all(axis=1) & (rows < row).any(axis=1)).any() for row in rows]
    return [place for place, is_beaten in enumerate(beaten) if not is_beaten]


def _distance(missed: Sequence[Miss]) -> float:
    """Sum of the misses, each relative to what was asked."""
    return sum(math.inf if miss.by is None else miss.by / miss.wanted for miss in missed)


def _fitting(ranked: Sequence[Design], rejected: Sequence[Rejection], key: str) -> str:
    """What to do, beside the best design of the other scenarios."""
    best = ranked[0]
    begin = "Split: " if best.scenario == "SC" else f"Do not split: {SCENARIOS[best.scenario]}, "
    others = [_beside(s, ranked, rejected, key) for s in SCENARIOS if s != best.scenario]
    return "; ".join([begin + _figure(best, key), *filter(None, others)]) + "."


def _beside(
    scenario: str, ranked: Sequence[Design], rejected: Sequence[Rejection], key: str
) -> str | None:
    """How the best design of a scenario does, or what the nearest misses."""
    for design in ranked:
        if design.scenario == scenario:
            return f"the best of {SCENARIOS[scenario]}: {_figure(design, key)}"
    for rejection in rejected:
        if rejection.design.scenario == scenario:
            return f"{SCENARIOS[scenario]} does not fit: {_reasons(rejection)}"
    return None


def _figure(design: Design, key: str) -> str:
    value = getattr(design, key)
    said = "not known" if value is None else as_text(value)
    low, high = design.accuracy_low, design.accuracy_high
    guess = f" (accuracy not measured: {low:.3f} to {high:.3f})" if design.predicted else ""
    return f"{design.name} with {key} {said}{guess}"


def _reasons(rejection: Rejection) -> str:
    return f"{rejection.design.name}: " + ", ".join(map(str, rejection.misses))


def _nothing(nearest: Rejection) -> str:
    return f"No design fits; the nearest would have to change: {_reasons(nearest)}."
