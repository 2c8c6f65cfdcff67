"""How well a search does with few trainings, over the conditions of a folder, in one table.

    python benchmarks/search.py docs/results --json docs/results/search.json

Nothing is trained: every condition has two trainings of every point. For each condition the
constants are fitted on those that share neither net nor data set with it. The search sees one
training of each point, drawn anew for each repetition; what it is held against says the table's
note. ``--write`` fits on all conditions and writes the constants that ship with the package;
``--shipped`` scores those, on conditions that they were not fitted on (each point trained once or
twice).
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.optimize import minimize
from scipy.special import logit
from scipy.stats import t as student_t

from isplit.files import write_json
from isplit.runs.search import next_point
from isplit.search import FILE, Z90, Constants, _divergence, expectations

FOLDER = re.compile(r"(?P<net>.+)-on-(?P<data>.+)-\d+-classes-(?P<size>.+)-seed-\d+")
KINDS = ("probe", "probe_overlap", "cui")
BUDGET = 3
START = Constants(0.09, 0.05, 0.65, 0.15, 0.7, 0.02, 0.4, 1.0, 1.0)
FITTED = ("offset", "offset_sd", "scale", "scale_sd", "power", "residual", "growth")
EXPECTED_SPREAD = {"offset_sd": 1.0, "scale_sd": 1.0, "power": 0.5}  # of their logarithms
LIMITS = ("", "bytes", "device MACs")

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Condition:
    """Every point of a net on a data set, trained twice; which training was first is not known."""

    name: str
    net: str
    data: str
    size: str
    baseline: float
    test_images: int
    values: dict[str, list[float]]
    lower: Floats
    higher: Floats
    code_bytes: Floats
    light: NDArray[np.bool_]

    @property
    def mean(self) -> Floats:
        """Of the two trainings."""
        return (self.lower + self.higher) / 2

    def candidates(self, limit: str) -> list[int]:
        """The points within a limit: half of the bytes, or of the device's work."""
        small = self.code_bytes <= np.median(self.code_bytes)
        kept = {"": np.full(len(small), True), "bytes": small, "device MACs": self.light}[limit]
        return [int(p) for p in np.flatnonzero(kept)]


def main() -> None:
    """Score every predictor, print the table, write it as JSON if asked."""
    options = _options()
    conditions = [_read(path.parent) for path in sorted(options.results.glob("*/curve.csv"))]
    if options.write:
        write_json(FILE, _shipped(conditions))
    rows = [
        {"predictor": kind, "limit": limit}
        | _scores(conditions, kind, limit, options.repetitions, options.shipped)
        for kind in options.kinds
        for limit in (LIMITS if kind == options.kinds[0] else ("",))
    ]
    Console(width=150).print(_table(rows))
    if options.json:
        about = {
            "conditions": len(conditions),
            "budget": BUDGET,
            "repetitions": options.repetitions,
        }
        write_json(options.json, about | {"all_trained_once": _floor(conditions), "rows": rows})


def _scores(
    conditions: Sequence[Condition], kind: str, limit: str, repetitions: int, shipped: bool
) -> dict[str, Any]:
    """Means over the conditions, each the mean of its repetitions; regrets and errors in points."""
    found = []
    for number, condition in enumerate(conditions):
        random = np.random.default_rng(number)
        unlike = (condition.net, condition.data, kind)
        constants = _of_package(kind) if shipped else _left_out(tuple(conditions), *unlike)
        turns = [_search(condition, kind, limit, constants, random) for _ in range(repetitions)]
        found.append({name: float(np.mean([t[name] for t in turns])) for name in turns[0]})
    means = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
    worst = {
        f"{name}_worst": max(one[name] for one in found) for name in found[0] if "regret" in name
    }
    return means | worst


def _search(
    of: Condition, kind: str, limit: str, constants: Constants, random: np.random.Generator
) -> dict[str, float]:
    """One search and what it came to."""
    first = random.integers(0, 2, len(of.mean)).astype(bool)
    seen, other = np.where(first, of.higher, of.lower), np.where(first, of.lower, of.higher)
    candidates = of.candidates(limit)
    found: dict[str, float] = {}
    measured: dict[int, float] = {}
    both: list[int] = []  # as if both trainings were measured, in the same order

    def expected() -> Any:
        own = (of.baseline, of.test_images, measured, constants)
        return expectations(kind, of.values[kind], *own)

    found |= {
        f"{name}_untrained": value for name, value in _errors(expected(), other, of.mean).items()
    }
    stopped = False
    for trained in range(1, BUDGET + 1):
        position = None if stopped else next_point(expected(), candidates)
        stopped = position is None
        if position is not None:
            measured[position] = float(seen[position])
            both.append(position)
        best = max(measured, key=lambda p: (measured[p], p))
        found[f"regret_{trained}"] = 100 * float(of.mean[candidates].max() - of.mean[best])
        found[f"regret_{trained}_of_means"] = 100 * float(
            of.mean[candidates].max() - of.mean[both].max()
        )
    found["too_high"] = 100 * float(measured[best] - other[best])
    found["too_high_expected"] = 100 * float(expected()[best].accuracy - other[best])
    found["trainings"] = len(measured)
    return found | _errors(expected(), other, of.mean)


def _errors(found: Sequence[Any], other: Floats, mean: Floats) -> dict[str, float]:
    """Of the points that were not trained, against the training that the search did not see."""
    rows = [(e, other[p], mean[p]) for p, e in enumerate(found) if e.measured is None]
    return {
        "error": 100 * float(np.mean([abs(e.accuracy - m) for e, _, m in rows])),
        "error_of_one": 100 * float(np.mean([abs(e.accuracy - o) for e, o, _ in rows])),
        "covered": float(np.mean([e.low <= o <= e.high for e, o, _ in rows])),
        "width": 100 * float(np.mean([e.high - e.low for e, _, _ in rows])),
    }


def _floor(conditions: Sequence[Condition]) -> dict[str, float]:
    """What the best of one training of *every* point loses against the mean of two, in points."""
    lost = []
    for number, of in enumerate(conditions):
        random = np.random.default_rng(number)
        draws = [random.integers(0, 2, len(of.mean)).astype(bool) for _ in range(200)]
        best = [int(np.where(draw, of.higher, of.lower).argmax()) for draw in draws]
        lost.append(100 * float(of.mean.max() - of.mean[best].mean()))
    return {"regret": float(np.mean(lost)), "regret_worst": max(lost)}


def _of_package(kind: str) -> Constants:
    """Those that ship."""
    return Constants(**json.loads(FILE.read_text("utf-8"))["predictors"][kind])


@cache
def _left_out(conditions: tuple[Condition, ...], net: str, data: str, kind: str) -> Constants:
    """Fitted on the conditions of other nets and other data."""
    return _fitted([c for c in conditions if c.net != net and c.data != data], kind)


def _fitted(conditions: Sequence[Condition], kind: str) -> Constants:
    """The most likely constants, and the widening that left-out conditions ask for.

    Few conditions tell mean and deviation badly: the widening grows as the interval of one more
    normal value does when both come from so many.
    """
    constants = _most_likely(conditions, kind)
    groups = sorted({(c.net, c.data) for c in conditions})
    parts = groups if len(groups) > 1 else sorted({(c.name,) for c in conditions})
    ratios: list[float] = []
    for part in parts:
        own = [c for c in conditions if part in ((c.net, c.data), (c.name,))]
        rest = [c for c in conditions if c not in own]
        for of in own:
            ratios += _ratios(of, kind, _most_likely(rest, kind))
    few = len(conditions)
    growth = student_t.ppf(0.95, few - 1) * np.sqrt(1 + 1 / few) / Z90
    return replace(constants, widening=float(growth * max(1.0, np.quantile(ratios, 0.9))))


def _ratios(of: Condition, kind: str, constants: Constants) -> list[float]:
    """Errors at the untrained points over the half interval, one point having been trained."""
    own = (of.baseline, of.test_images)
    start = next_point(
        expectations(kind, of.values[kind], *own, {}, constants), range(len(of.mean))
    )
    assert start is not None
    known = {start: float(of.lower[start])}
    found = expectations(kind, of.values[kind], *own, known, constants)
    return [
        abs(logit(o) - logit(e.accuracy)) / (logit(e.high) - logit(e.accuracy))
        for p, e in enumerate(found)
        for o in (of.lower[p], of.higher[p])
        if e.measured is None
    ]


def _most_likely(conditions: Sequence[Condition], kind: str) -> Constants:
    """The constants but for the widening, by maximum likelihood with weak priors."""
    scatter = [
        (logit(c.higher) - logit(c.lower)) ** 2 / 2 * c.test_images * c.mean * (1 - c.mean)
        for c in conditions
    ]
    start = replace(START, noise=float(np.mean(np.concatenate(scatter))))

    def unpacked(logs: Floats) -> Constants:
        return replace(start, **dict(zip(FITTED, np.exp(logs).tolist(), strict=True)))

    def cost(logs: Floats) -> float:
        c = unpacked(logs)
        prior = sum(
            (np.log(getattr(c, name) / getattr(START, name)) / spread) ** 2 / 2
            for name, spread in EXPECTED_SPREAD.items()
        )
        return float(prior + sum(_surprise(of, kind, c) for of in conditions))

    logs = np.log([getattr(START, name) for name in FITTED])
    return unpacked(minimize(cost, logs, method="L-BFGS-B", bounds=[(-8, 3)] * len(FITTED)).x)


def _surprise(of: Condition, kind: str, c: Constants) -> float:
    """Minus the log likelihood of the mean of the two trainings."""
    line = c.scale * _divergence(kind, of.values[kind]) ** c.power
    noise = c.noise / (2 * of.test_images * of.mean * (1 - of.mean))
    shared = c.offset_sd**2 + c.scale_sd**2 * np.outer(line, line)
    factor = np.linalg.cholesky(shared + np.diag((c.residual + c.growth * line) ** 2 + noise))
    loss = logit(of.baseline) - logit(of.mean) - c.offset - line
    return float(0.5 * np.sum(np.linalg.solve(factor, loss) ** 2) + np.log(np.diag(factor)).sum())


def _shipped(conditions: Sequence[Condition]) -> dict[str, Any]:
    """The constants of every predictor, fitted on all conditions, and what these are."""
    return {
        "fitted_on": {
            "conditions": len(conditions),
            "points": sum(len(c.mean) for c in conditions),
            "trainings_of_each": 2,
            "nets": sorted({c.net for c in conditions}),
            "data": sorted({c.data for c in conditions}),
            "codes": sorted({c.size for c in conditions}),
            "recipe": "recipe=paper: fine-tuning of one epoch on 3000 images",
            "command": "python benchmarks/search.py docs/results --write",
        },
        "predictors": {
            kind: {name: round(of, 5) for name, of in asdict(_fitted(conditions, kind)).items()}
            for kind in KINDS
        },
    }


def _read(folder: Path) -> Condition:
    with (folder / "curve.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    noise = json.loads((folder / "agreement.json").read_text("utf-8"))["noise"]
    facts = FOLDER.fullmatch(folder.name)
    assert facts is not None, folder

    def column(name: str) -> Floats:
        """A lowest or highest accuracy is empty where there is one training."""
        return np.array([float(row[name] or row["accuracy"]) for row in rows])

    return Condition(
        folder.name,
        facts["net"],
        facts["data"],
        facts["size"],
        float(rows[0]["baseline_accuracy"]),
        noise["test_images"],
        {kind: column(kind).tolist() for kind in KINDS},
        column("accuracy_min"),
        column("accuracy_max"),
        column("payload_bytes"),
        column("head_macs") <= column("tail_macs"),
    )


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    table = Table(title="searches with up to 3 trainings; regrets and errors in points of accuracy")
    shown = {
        "predictor": "predictor",
        "limit": "limit",
        **{f"regret {k}": f"regret_{k}" for k in range(1, BUDGET + 1)},
        "regret 3 of means": "regret_3_of_means",
        "error before": "error_untrained",
        "error": "error",
        "covered": "covered",
        "width": "width",
        "too high": "too_high",
        "expected too high": "too_high_expected",
        "trainings": "trainings",
    }
    for heading in shown:
        table.add_column(heading)
    for row in rows:
        table.add_row(*(_cell(row, name) for name in shown.values()))
    return table


def _cell(row: dict[str, Any], name: str) -> str:
    value = row[name]
    if isinstance(value, str):
        return value
    worst = f" / {row[f'{name}_worst']:.2f}" if f"{name}_worst" in row else ""
    return f"{value:.2f}{worst}"


def _options() -> argparse.Namespace:
    first, _, rest = str(__doc__).partition("\n\n")
    parser = argparse.ArgumentParser(
        description=first, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, help="folder with a folder for each condition")
    parser.add_argument("--kinds", nargs="+", default=["probe"], choices=KINDS, help="predictors")
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--json", type=Path, help="also write the table to this file")
    parser.add_argument("--shipped", action="store_true", help="score the constants that ship")
    parser.add_argument("--write", action="store_true", help="fit and write the constants")
    return parser.parse_args()


if __name__ == "__main__":
    main()
