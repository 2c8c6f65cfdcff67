"""The designs as a table and as bars, and accuracy under loss as a table and as lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from matplotlib.figure import Figure

from isplit.matching import Match
from isplit.report.canvas import ACCENT, DARK, INK, PALE, legend_below, plain, shortened
from isplit.report.findings import Drawing
from isplit.report.table import Column, Table
from isplit.requirements import FIGURES, Requirement
from isplit.studies.latency.designs import PARTS, Timed
from isplit.studies.seen import UnderLoss

COLUMNS = (
    Column("rank", form="d", screen=9),
    Column("name", "design", fold=34, screen=1),
    Column("accuracy", form=".3f", screen=3),
    Column("p95_ms", "p95", "ms", ".1f", screen=2),
    Column("p50_ms", "p50", "ms", ".1f"),
    Column("p99_ms", "p99", "ms", ".1f"),
    Column("frames_per_s", "at most", "frames/s", ".3g", screen=5),
    Column("late", "late", "%", ".1f", 100),
    Column("payload_bytes", "payload", "bytes", ",.0f", screen=4),
    Column("device_macs", "on the device", "M MACs", ",.1f", 1e-6),
    Column("device_memory_bytes", "memory", "MB", ",.2f", 1e-6),
    Column("energy_J", "energy", "J", ".3g", screen=8),
    Column("front", screen=7),
    Column("misses", fold=44, screen=6),
)
LOSS = tuple(
    Column(key, form=form, scale=scale, unit=unit)
    for key, unit, form, scale in (
        ("payload", "", "", 1),
        ("layout", "", "", 1),
        ("fill", "", "", 1),
        ("loss", "%", "g", 100),
        ("accuracy", "", ".3f", 1),
        ("packets", "", "d", 1),
        ("payload_bytes", "bytes", ",.0f", 1),
    )
)
SHADES = (DARK, "#6b9bd1", ACCENT, PALE, "#d9d9d9")
STYLES = {"contiguous": "-o", "interleaved": "--s", "one payload": ":^"}
BARS_AT_MOST = 40


def designs_rows(made: Sequence[Timed], answer: Match) -> list[dict[str, Any]]:
    """A row for each design, those that fit first, with all that it misses in words."""
    ranks = {design.name: n for n, design in enumerate(answer.ranked, 1)}
    missed = {r.design.name: "; ".join(map(str, r.misses)) for r in answer.rejected}
    rows = []
    for one in made:
        name, design = one.design.name, asdict(one.design)
        times = {key: value for key, value in asdict(one).items() if key != "design"}
        first = {"rank": ranks.get(name), "name": name, "scenario": design["scenario"]}
        known = {key: design[key] for key in (*FIGURES, "layer", "rate", "codec")}
        last = {"front": name in answer.pareto, "misses": missed.get(name)}
        rows.append(first | known | times | last)
    return rows


def designs_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """The same for people."""
    note = "front: no other design is as good in accuracy, latency, energy and bytes together."
    return Table("Designs, those that fit first", COLUMNS, rows, note, on_screen=True)


def loss_table(lost: Sequence[UnderLoss]) -> Table:
    """A row for each way to send, loss and filling."""
    return Table("Accuracy where UDP packets are lost", LOSS, list(map(asdict, lost)))


def drawings(made: Sequence[Timed], asked: Requirement, lost: Sequence[UnderLoss]) -> list[Drawing]:
    """The bars, and where it was measured the accuracy under loss."""
    caption = "Where the mean time of a frame goes in each design, the best first."
    found = [Drawing("latency", caption, _bars(made[:BARS_AT_MOST], asked))]
    if lost:
        caption = "Accuracy where a share of the packets is lost; gaps hold the channel's mean."
        found.append(Drawing("loss", caption, _lines(lost)))
    return found


def _bars(made: Sequence[Timed], asked: Requirement) -> Figure:
    figure = Figure(figsize=(9.0, 2.0 + 0.3 * len(made)), layout="constrained")
    axes = figure.add_subplot()
    names = [shortened(one.design.name, 44) for one in made]
    begins = [0.0] * len(made)
    for part, shade in zip(PARTS, SHADES, strict=True):
        lengths = [getattr(one, f"{part}_ms") for one in made]
        label = "send and wait" if part == "send" else part
        axes.barh(range(len(made)), lengths, left=begins, color=shade, label=label)
        begins = [a + b for a, b in zip(begins, lengths, strict=True)]
    p95 = [one.design.p95_ms or 0.0 for one in made]
    axes.plot(p95, range(len(made)), "|", color=INK, markersize=11, label="p95")
    if asked.p95_ms:
        axes.axvline(asked.p95_ms, color=INK, linewidth=1, linestyle="--", label="p95 asked")
    axes.set_yticks(range(len(made)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel("milliseconds of a frame, mean")
    plain(axes, "x")
    legend_below(figure, columns=4)
    return figure


def _lines(lost: Sequence[UnderLoss]) -> Figure:
    figure = Figure(figsize=(9.0, 5.4), layout="constrained")
    axes = figure.add_subplot()
    payloads = list(dict.fromkeys(one.payload for one in lost))
    shades = dict(zip(payloads, (*SHADES[:3], PALE, INK), strict=False))
    for payload in payloads:
        for layout, style in STYLES.items():
            rows = [r for r in lost if (r.payload, r.layout) == (payload, layout)]
            rows = [r for r in rows if r.fill != "zero"]
            label = f"{payload}, {layout} ({rows[0].payload_bytes:,.0f} bytes)"
            x, y = [100 * r.loss for r in rows], [r.accuracy for r in rows]
            axes.plot(x, y, style, color=shades[payload], markersize=5, label=label)
    axes.set_xlabel("packets lost (%)")
    axes.set_ylabel("accuracy on the test images (0 to 1)")
    plain(axes, "both")
    legend_below(figure, columns=2)
    return figure
