"""The study of payloads: every codec at every point, what it sends and what it costs."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from isplit.codec import from_config
from isplit.importance import select
from isplit.report.findings import Findings, distinct, slug
from isplit.report.table import Table
from isplit.stages.cut_net import CutNet
from isplit.studies.collect import Collection, Run, grouped
from isplit.studies.payload.cells import Row, cells, refuse_nothing
from isplit.studies.payload.figures import TEXTS, drawings
from isplit.studies.payload.judgement import answer, best_of, rivals, verdict
from isplit.studies.payload.statistics import distributions, samples, statistics
from isplit.studies.seen import Look

log = logging.getLogger(__name__)

MOVING, SHOWN = 4, 3  # images that move, where no frames are given; points with panels


def payload_study(found: Collection, look: Look, options: Mapping[str, Any]) -> Findings:
    """Every unsplit net of the runs that has the points asked for, and all of them together.

    Raises:
        ValueError: no net can be studied, none has such a point, or there are no frames.
    """
    listed = {k: [v] for k, v in options.items() if k in ("ranges", "codecs") and type(v) is str}
    nets = grouped(found.runs, _net_and_points).values()
    parts, left_out = [], list(found.left_out)
    for number, runs in enumerate(nets, 1):
        about, seen = runs[0].result, look(runs[0])
        name = f"{about.model} on {about.data}, seed {about.seed}, net {number}"
        left_out += [f"{name}: {why}" for why in seen.left_out]
        try:
            if seen.net is not None:
                parts.append(of_net(name, runs, seen.net, {**options, **listed}))
        except ValueError as error:  # of this net; the others go on
            left_out.append(f"{name}: {error}")
    if not parts:
        raise ValueError("no net to study:\n  " + "\n  ".join(left_out))
    slugs = distinct([slug(part.name) for part in parts], "-")  # long names are cut
    parts = [replace(part, slug=own) for part, own in zip(parts, slugs, strict=True)]
    coded = [row for part in parts for row in part.files["payload.csv"].rows]
    trained = [row for part in parts for row in part.files["bottlenecks.csv"].rows]
    answers = " ".join(f"{part.name}: {part.answer}" for part in parts)
    shown = TEXTS["columns"]["points"]
    tables = [Table(p.name, shown, p.files["points.csv"].rows, TEXTS["note"], True) for p in parts]
    figures = drawings({"nets": coded, "trained": trained})
    return Findings(
        TEXTS["title"], answers, tables=tables, figures=figures, left_out=left_out, parts=parts
    )


def _net_and_points(run: Run) -> tuple[str, ...]:
    return (run.result.stages["baseline"].fingerprint, *(p.node for p in run.curve.points))


def of_net(name: str, runs: Sequence[Run], net: CutNet, options: Mapping[str, Any]) -> Findings:
    """Cells, choices and statistics of one net at the points asked for."""
    points = select(runs[0].curve, options["points"], key="study.points")
    refuse_nothing(options)
    images, labels = net.images("test", options["images"])
    calibration, _ = net.images("validation", options["calibration_images"])
    few = images[: options["encoded_images"]]
    jpeg = from_config({"name": "jpeg", "quality": options["jpeg_quality"]})
    jpeg_bytes = sum(map(len, jpeg.encode(net.pixels(few)))) / len(few)
    moving, maps = net.sequences(options["frames"], images[:MOVING]), net.relevance(few)
    rows: dict[str, list[Row]] = {"payload": [], "points": [], "distributions": []}
    for point in points:
        log.info("%s: %s", name, point.label)
        head, tail = net.sides(point)
        features, frames = head(images), [head(sequence) for sequence in moving]
        coded = cells(point, features, head(calibration), tail, labels, options, jpeg_bytes)
        about = {"net": name, "point": point.label, "index": point.index, "elements": point.numel}
        own = [about | cell for cell in coded]
        sampled = samples(features[: len(few)], frames, maps[point.index])
        rows["points"].append(about | best_of(own, options["max_loss"]) | statistics(sampled))
        rows["payload"] += own
        rows["distributions"] += [about | row for row in distributions(sampled)]
    rows["bottlenecks"] = list(rivals(runs, rows["payload"]))
    shown = [row["point"] for row in rows["points"]][:: -(-len(points) // SHOWN)]
    some = {of: [row for row in those if row["point"] in shown] for of, those in rows.items()}
    jpeg_too = {"codec": "JPEG", "payload_bytes": jpeg_bytes}
    some["sizes"] = some["payload"] + [cell | jpeg_too for cell in some["payload"]]
    return Findings(
        name=name,
        answer=answer(rows["points"]),
        verdict=verdict(rows["payload"]),
        figures=drawings(some),
        files={f"{file}.csv": Table.of_rows(file, those) for file, those in rows.items()},
    )
