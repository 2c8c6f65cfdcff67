"""The designs as a table and as bars, and accuracy under loss as a table and as lines."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from matplotlib.figure import Figure

from isplit.matching import Match
from isplit.report.canvas import ACCENT, DARK, INK, PALE, legend_below, plain, shortened
from isplit.report.findings import Drawing
from isplit.report.table import Table, words_of
from isplit.requirements import Requirement
from isplit.studies.collect import grouped
from isplit.studies.latency.designs import Timed
from isplit.studies.seen import Lost

TEXTS = words_of("studies.latency")
PARTS = {"device": DARK, "encode": "#6b9bd1", "send": ACCENT, "server": PALE, "answer": "#d9d9d9"}
SHADES = (DARK, "#6b9bd1", ACCENT, PALE, INK)
STYLES = {"contiguous": "-o", "interleaved": "--s", "one payload": ":^"}
BARS_AT_MOST = 40


def rows_of(made: Sequence[Timed], answer: Match) -> list[dict[str, Any]]:
    """A row for each design, with all that it misses in words."""
    ranks = {design.name: n for n, design in enumerate(answer.ranked, 1)}
    missed = {r.design.name: "; ".join(map(str, r.misses)) for r in answer.rejected}
    return [
        {"rank": ranks.get(name := one.design.name)}
        | asdict(one.design)
        | {**one.ms, "late": one.late, "front": name in answer.pareto, "misses": missed.get(name)}
        for one in made
    ]


def tables(rows: Sequence[Mapping[str, Any]], lost: Sequence[Lost]) -> list[Table]:
    """The designs and, where it was measured, accuracy under loss."""
    columns = TEXTS["columns"]["designs"]
    shown = Table("Designs, those that fit first", columns, rows, TEXTS["note"], on_screen=True)
    if any(row["accuracy_low"] is not None for row in rows):
        shown = replace(shown, note=f"{shown.note} {TEXTS['predicted']}")
    title = "Accuracy of the first split where UDP packets are lost"
    under_loss = [Table.of_rows(title, lost)] if lost else []
    return [replace(shown, columns=shown.filled()), *under_loss]


def drawings(made: Sequence[Timed], asked: Requirement, lost: Sequence[Lost]) -> list[Drawing]:
    """The same as bars and as lines."""
    figures = {"latency": _bars(made[:BARS_AT_MOST], asked)}
    figures |= {"loss": _lines(lost)} if lost else {}
    return [Drawing(name, TEXTS["captions"][name], figure) for name, figure in figures.items()]


def _bars(made: Sequence[Timed], asked: Requirement) -> Figure:
    figure = Figure(figsize=(9.0, 2.0 + 0.3 * len(made)), layout="constrained")
    axes, places = figure.add_subplot(), range(len(made))
    begins = [0.0] * len(made)
    for part, shade in PARTS.items():
        lengths = [one.ms[f"{part}_ms"] for one in made]
        label = part.replace("send", "send and wait")
        axes.barh(places, lengths, left=begins, color=shade, label=label)
        begins = [a + b for a, b in zip(begins, lengths, strict=True)]
    p95_ms = [one.design.p95_ms or 0.0 for one in made]
    axes.plot(p95_ms, places, "|", color=INK, markersize=11, label="p95")
    if asked.p95_ms and asked.p95_ms < 4 * max(p95_ms):  # else the bars would be too short
        axes.axvline(asked.p95_ms, color=INK, linewidth=1, linestyle="--", label="p95 asked")
    axes.set_yticks(places, [shortened(one.design.name, 44) for one in made], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds of a frame, mean")
    axes.set_title(f"Where a frame's time goes in {len(made)} designs, the best first", loc="left")
    plain(axes, "x")
    legend_below(figure, columns=4)
    return figure


def _lines(lost: Sequence[Lost]) -> Figure:
    figure = Figure(figsize=(9.0, 5.4), layout="constrained")
    axes = figure.add_subplot()
    shades = dict(zip(dict.fromkeys(row["payload"] for row in lost), SHADES, strict=False))
    filled = (row for row in lost if row["fill"] != "zero")
    name_of = "{payload}, {layout} ({payload_bytes:,.0f} bytes)".format_map
    for name, line in grouped(filled, name_of).items():
        x, y = [100 * row["loss"] for row in line], [row["accuracy"] for row in line]
        look: dict[str, Any] = {"color": shades[line[0]["payload"]], "markersize": 5}
        axes.plot(x, y, STYLES[line[0]["layout"]], label=name, **look)
    axes.set(xlabel="packets lost (%)", ylabel="accuracy on the test images (0 to 1)")
    plain(axes, "both")
    legend_below(figure, columns=2)
    return figure
