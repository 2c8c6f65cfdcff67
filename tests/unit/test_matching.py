"""Matching: made designs whose answer is known, a slow twin of the Pareto front, refusals."""

import json
from dataclasses import replace

import numpy as np
import pytest

from isplit.matching import FRONT, match, pareto
from isplit.requirements import FIGURES, Design, Requirement

LOCAL = Design(
    "local", "LC", accuracy=0.92, p95_ms=19, frames_per_s=50, energy_J=0.5, payload_bytes=0
)
REMOTE = Design(
    "remote", "RC", accuracy=0.92, p95_ms=120, frames_per_s=8, energy_J=2, payload_bytes=150_000
)
SPLIT = Design("layer3 rle", "SC", accuracy=0.90, p95_ms=64, energy_J=1, payload_bytes=4_000)
ALL = [REMOTE, SPLIT, LOCAL]


def test_do_not_split():
    found = match(ALL, Requirement(accuracy=0.9, p95_ms=100))
    assert found.sentence == (
        "Do not split: local computing, local with p95_ms 19; remote computing does not fit: "
        "remote: p95_ms is 120 and misses 100 by 20; the best of split computing: layer3 rle with "
        "p95_ms 64."
    )
    assert [d.name for d in found.ranked] == ["local", "layer3 rle"]
    (rejected,) = found.rejected
    assert (rejected.design, rejected.misses[0].by) == (REMOTE, 20)


def test_split():
    slow = replace(LOCAL, p95_ms=300)
    found = match([slow, REMOTE, SPLIT], Requirement(accuracy=0.9, p95_ms=100))
    assert found.sentence.startswith("Split: layer3 rle with p95_ms 64; local computing does not")
    assert "p95_ms is 300 and misses 100 by 200" in found.sentence


def test_nothing_fits():
    found = match(ALL, Requirement(accuracy=0.95, p95_ms=18))
    assert not found.ranked
    assert found.sentence == (
        "No design fits; the nearest would have to change: local: accuracy is 0.92 and misses "
        "0.95 by 0.03, p95_ms is 19 and misses 18 by 1."
    )
    assert [r.design.name for r in found.rejected] == ["local", "layer3 rle", "remote"]


@pytest.mark.parametrize("key", FIGURES)
def test_each_figure_at_its_limit(key):
    base = dict.fromkeys(FIGURES, 0.5)
    design = Design("x", "SC", **base)
    assert match([design], Requirement(**{key: 0.5})).ranked
    wanted = 0.6 if key in ("accuracy", "frames_per_s") else 0.4
    (rejected,) = match([design], Requirement(**{key: wanted})).rejected
    assert rejected.misses[0].requirement == key
    assert rejected.misses[0].by == pytest.approx(0.1)


@pytest.mark.parametrize("key", FIGURES)
def test_what_is_not_known_does_not_fit(key):
    found = match([Design("x", "LC"), LOCAL], Requirement(**{key: 0.5}))
    unknown = next(r for r in found.rejected if r.design.name == "x")
    assert unknown.misses[0].by is None
    assert str(unknown.misses[0]) == f"{key} is not known (0.5 asked)"
    assert found.rejected[-1].misses[0].by is None


def test_a_prediction_fits_when_its_low_end_does():
    guess = Design("g", "SC", accuracy=0.91, p95_ms=10, accuracy_low=0.89, accuracy_high=0.93)
    assert guess.predicted
    assert match([guess], Requirement(accuracy=0.89)).ranked == (guess,)
    found = match([guess], Requirement(accuracy=0.9))
    assert found.rejected[0].misses[0].got == 0.89
    assert "(accuracy not measured: 0.890 to 0.930)" in match([guess], Requirement()).sentence


def test_ranking():
    assert [d.name for d in match(ALL, Requirement()).ranked] == ["local", "remote", "layer3 rle"]
    by_bytes = match(ALL, Requirement(prefer="payload_bytes")).ranked
    assert [d.name for d in by_bytes] == ["local", "layer3 rle", "remote"]
    unknown = Design("u", "SC", accuracy=0.99)
    assert match([unknown, LOCAL], Requirement(prefer="p95_ms")).ranked[-1] == unknown


def test_the_front_is_that_of_a_slow_twin():
    rng = np.random.default_rng(1)
    designs = [
        Design(f"d{i}", "SC", accuracy=a, p95_ms=p, energy_J=e, payload_bytes=b)
        for i, (a, p, e, b) in enumerate(rng.integers(0, 6, (60, 4)) / (10, 10, 1, 1))
    ]
    designs[5] = replace(designs[5], energy_J=None)

    def cost(d):
        values = [-d.accuracy, d.p95_ms, d.energy_J, d.payload_bytes]
        return [float("inf") if v is None else v for v in values]

    def beats(a, b):
        pairs = list(zip(cost(a), cost(b), strict=True))
        return all(x <= y for x, y in pairs) and any(x < y for x, y in pairs)

    slow = tuple(d.name for d in designs if not any(beats(o, d) for o in designs))
    assert len(FRONT) == 4
    assert pareto(designs) == slow
    assert 0 < len(slow) < 60


def test_the_answer_is_plain_values():
    document = match([*ALL, Design("u", "SC")], Requirement(energy_J=0.7)).document()
    again = json.loads(json.dumps(document, allow_nan=False))
    assert again["ranked"][0]["name"] == "local"
    assert again["ranked_by"] == "accuracy"
    assert again["rejected"][0]["misses"][0]["requirement"] == "energy_J"


@pytest.mark.parametrize(
    ("figures", "text"),
    [
        ({"accuracy": 90}, r"requirement.accuracy=90 is above 1 \(0.9 means 90 %\)"),
        ({"p95_ms": 0}, "requirement.p95_ms=0 is not within 1e-09"),
        ({"energy_J": -1}, "requirement.energy_J=-1 is not within"),
        ({"payload_bytes": float("nan")}, "requirement.payload_bytes=nan is not within"),
        ({"frames_per_s": "30"}, "requirement.frames_per_s='30' is not within"),
        ({"prefer": "speed"}, "requirement.prefer='speed' is none of accuracy"),
    ],
)
def test_requirements_that_cannot_be(figures, text):
    with pytest.raises(ValueError, match=text):
        Requirement(**figures)


@pytest.mark.parametrize(
    ("figures", "text"),
    [
        ({"scenario": "XC"}, "scenario='XC' is none of LC, RC, SC"),
        ({"p95_ms": float("inf")}, "design x.p95_ms=inf is not within"),
        ({"payload_bytes": -1}, "design x.payload_bytes=-1 is not within"),
        ({"accuracy": 1.2}, "accuracy=1.2 of design x must lie"),
        ({"accuracy": 0.5, "accuracy_low": 0.6, "accuracy_high": 0.7}, "must lie"),
        ({"accuracy": 0.5, "accuracy_low": 0.4}, "both ends are given or none"),
        ({"accuracy_low": 0.4, "accuracy_high": 0.6}, "both ends are given or none"),
    ],
)
def test_designs_that_cannot_be(figures, text):
    with pytest.raises(ValueError, match=text):
        Design(**{"name": "x", "scenario": "SC", **figures})


def test_designs_to_match():
    with pytest.raises(ValueError, match="there are no designs"):
        match([], Requirement())
    with pytest.raises(ValueError, match="two designs are called 'local'"):
        match([LOCAL, LOCAL], Requirement())
