"""The designs as a table and as bars, and accuracy under loss as a table and as lines."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from matplotlib.figure import Figure

from isplit.matching import Match
from isplit.report.canvas import ACCENT, DARK, INK, PALE, legend_below, plain, shortened
from isplit.report.findings import Drawing
from isplit.report.table import Column, Table
from isplit.requirements import Requirement
from isplit.studies.latency.designs import Timed
from isplit.studies.seen import Lost

COLUMNS = (
    Column("rank", form="d", screen=9),
    Column("name", "design", fold=34, screen=1),
    Column("accuracy", form=".3f", screen=3),
    Column("accuracy_low", "from", form=".3f", screen=10),
    Column("accuracy_high", "to", form=".3f", screen=10),
    Column("p95_ms", "p95", "ms", ".1f", screen=2),
    Column("p99_ms", "p99", "ms", ".1f"),
    Column("late", "late", "%", ".1f", 100),
    Column("frames_per_s", "at most", "frames/s", ".3g", screen=5),
    Column("payload_bytes", "payload", "bytes", ",.0f", screen=4),
    Column("device_macs", "on the device", "M MACs", ",.1f", 1e-6),
    Column("device_memory_bytes", "memory", "MB", ",.2f", 1e-6),
    Column("energy_J", "energy", "J", ".3g", screen=8),
    Column("front", screen=7),
    Column("misses", fold=44, screen=6),
)
PARTS = {"device": DARK, "encode": "#6b9bd1", "send": ACCENT, "server": PALE, "answer": "#d9d9d9"}
SHADES = (DARK, "#6b9bd1", ACCENT, PALE, INK)
STYLES = {"contiguous": "-o", "interleaved": "--s", "one payload": ":^"}
BARS_AT_MOST = 40
PREDICTED = (
    " predicted: nobody trained this split. Nine of ten accuracies are meant to lie between from "
    "and to (docs/search.md); its low end counts. Train it by split.layer=NAME before you rely on "
    "it; study.predicted=false leaves such splits out."
)


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
    columns = [column for column in COLUMNS if any(row[column.key] is not None for row in rows)]
    note = "front: no other design is as good in accuracy, latency, energy and bytes together."
    if "accuracy_low" in [column.key for column in columns]:
        note += PREDICTED
    found = [Table("Designs, those that fit first", columns, rows, note, on_screen=True)]
    title = "Accuracy of the first split where UDP packets are lost"
    return found + ([Table.of_rows(title, lost)] if lost else [])


def drawings(made: Sequence[Timed], asked: Requirement, lost: Sequence[Lost]) -> list[Drawing]:
    """The same as bars and as lines."""
    caption = "Where the mean time of a frame goes in each design, the best first."
    found = [Drawing("latency", caption, _bars(made[:BARS_AT_MOST], asked))]
    caption = "Accuracy where packets are lost; gaps hold the channel's mean."
    return found + ([Drawing("loss", caption, _lines(lost))] if lost else [])


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
    shades = dict(zip(dict.fromkeys(row["payload"] for row in lost), SHADES, strict=True))
    lines: dict[str, list[Lost]] = {}
    for row in lost:
        if row["fill"] != "zero":
            name = f"{row['payload']}, {row['layout']} ({row['payload_bytes']:,.0f} bytes)"
            lines.setdefault(name, []).append(row)
    for name, line in lines.items():
        x, y = [100 * row["loss"] for row in line], [row["accuracy"] for row in line]
        look: dict[str, Any] = {"color": shades[line[0]["payload"]], "markersize": 5}
        axes.plot(x, y, STYLES[line[0]["layout"]], label=name, **look)
    axes.set(xlabel="packets lost (%)", ylabel="accuracy on the test images (0 to 1)")
    plain(axes, "both")
    legend_below(figure, columns=2)
    return figure
