"""The tables of docs/reproduction.md that come from the tables of docs/results.

    python benchmarks/reproduction.py docs/results
    python benchmarks/reproduction.py outputs/experiments    # of a run of benchmarks/experiments.py

Nothing is trained. A folder that is added to docs/results is a row more.
"""

import csv
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

Row = dict[str, str]

COMPARED = ("cui", "gradient", "cde", "depth", "random:cui")


def main(results: Path) -> None:
    """Print the tables as Markdown."""
    if (results / "took.csv").is_file():
        cells = results.rglob("payload.csv")
        tables = [every_point(results.rglob("curve.csv")), payload(cells), took(results)]
    else:
        tables = [
            every_point(results.glob("*/curve.csv")),
            payload(results.glob("payload/*/payload.csv")),
        ]
    print("\n\n".join("\n".join(lines) for lines in tables))


def every_point(curves: Iterable[Path]) -> Iterator[str]:
    """A line per condition: its peaks, and how well each predictor orders the accuracies."""
    heads = ["condition", "N", "peaks of CUI", "CDE", "spread, error", *COMPARED]
    yield from _lines([[*heads, "CUI given depth"]])
    yield "| " + " | ".join("---" for _ in range(len(heads) + 1)) + " |"
    for folder in sorted(path.parent for path in curves):
        if not (folder / "agreement.json").is_file():  # of fewer than two trained points
            continue
        rows, found = (
            _rows(folder / "curve.csv"),
            json.loads((folder / "agreement.json").read_text()),
        )
        scores, noise = found["predictors"], found["noise"]
        sizes = [-int(row["numel"]) for row in rows]
        smaller = [str(p) for p in range(1, len(rows)) if sizes[p] > sizes[p - 1]]
        spread = f"{100 * noise['spread']:.1f}, {100 * noise['difference_error']:.1f}"
        name = re.sub(r"-\d+-classes", "", folder.name.replace("-on-", ", "))
        cells = [name, str(found["n"]), _peaks([float(row["cui"]) for row in rows])]
        cells += [" ".join(smaller), spread, *(_rho(scores[name]) for name in COMPARED)]
        yield from _lines([[*cells, f"{scores['cui']['spearman_given_depth']:+.2f}"]])


def took(results: Path) -> Iterator[str]:
    """A line per experiment: its commands, and the minutes of them all."""
    rows = _rows(results / "took.csv")
    yield from _lines([["experiment", "commands", "minutes", "minutes of CPU"]])
    yield "| --- | --- | --- | --- |"
    for name in dict.fromkeys(row["experiment"] for row in rows):
        same = [row for row in rows if row["experiment"] == name]
        times = (sum(float(row[key]) for row in same) / 60 for key in ("wall_s", "cpu_s"))
        count = str(len(same)) if name != "all" else str(len(rows) - 1)
        yield from _lines([[name, count, *(f"{minutes:.0f}" for minutes in times)]])


def payload(cells: Iterable[Path]) -> Iterator[str]:
    """A line per net and bits: medians over its points, each image's own ranges."""
    heads = ["net", "bits", "change, median", "worst", "rle / plain", "rle / zlib", "ans / rle"]
    yield from _lines([[*heads, "time, zlib / rle"]])
    yield "| " + " | ".join("---" for _ in range(len(heads) + 1)) + " |"
    for path in sorted(cells):
        rows = [row for row in _rows(path) if row["ranges"] == "image"]
        for bits in sorted({int(row["bits"]) for row in rows}):
            at = [row for row in rows if int(row["bits"]) == bits]
            worst = min((row for row in at), key=lambda row: float(row["change"]))
            change = f"{100 * median(float(row['change']) for row in at):+.1f}"
            low, error = (100 * float(worst[name]) for name in ("change", "change_error"))
            sizes = [_ratio(at, "payload_bytes", *two) for two in PAIRS]
            times = _ratio(at, "encode_ms", "zlib", "rle")
            where = f"{low:+.1f} ± {error:.1f} ({worst['point']})"
            yield from _lines([[path.parent.name, str(bits), change, where, *sizes, times]])


PAIRS = (("rle", "quantize"), ("rle", "zlib"), ("ans", "rle"))


def _ratio(rows: Sequence[Row], column: str, above: str, below: str) -> str:
    """Median over the points of one codec's value over another's; "-" where one was not asked."""
    of = {(row["point"], row["codec"]): float(row[column]) for row in rows}
    points = {row["point"] for row in rows}
    if not {above, below} <= {row["codec"] for row in rows}:
        return "-"
    return f"{median(of[point, above] / of[point, below] for point in points):.2f}"


def _peaks(values: Sequence[float]) -> str:
    inside = range(1, len(values) - 1)
    return " ".join(str(p) for p in inside if values[p - 1] < values[p] > values[p + 1])


def _rho(score: Mapping[str, Any]) -> str:
    low, high = score["spearman_ci95"]
    return f"{score['spearman']:+.2f} ({low:+.2f} to {high:+.2f})"


def _rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _lines(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    return (f"| {' | '.join(row)} |" for row in rows)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
