"""The study of latency: every design of a trained net on two devices and a channel, matched."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from isplit.matching import match
from isplit.report.findings import Findings, distinct, of_all, slug
from isplit.report.table import Table
from isplit.search import doubt
from isplit.studies.collect import Collection, Run, by_condition, grouped
from isplit.studies.latency.designs import designs
from isplit.studies.latency.places import Places, anchored, places_of
from isplit.studies.latency.shown import drawings, rows_of, tables
from isplit.studies.latency.splits import expected
from isplit.studies.seen import Look


def latency_study(found: Collection, look: Look, options: Mapping[str, Any]) -> Findings:
    """What a frame costs in every design of each baseline, and which design is to be taken.

    Raises:
        ValueError: device, server or channel is missing or cannot be; no net can be opened again.
    """
    places = places_of(options)
    conditions = by_condition(found.runs).values()
    baselines = grouped(conditions, lambda same: same[0].result.stages["baseline"].fingerprint)
    parts: list[Findings] = []
    left_out = list(found.left_out)
    firsts = [runs[0][0].result for runs in baselines.values()]
    names = distinct([f"{of.model} on {of.data}, seed {of.seed}" for of in firsts], ", net ")
    for name, runs in zip(names, baselines.values(), strict=True):
        try:
            parts.append(_of(name, runs, look, places))
        except ValueError as error:
            left_out.append(f"{name}: {error}")
    if not parts:
        raise ValueError("no net to make designs of:\n  " + "\n  ".join(left_out))
    answer = " ".join(f"{part.name}: {part.answer}" for part in parts)
    whole = Findings("What a frame costs", answer, left_out=left_out)
    named = [replace(part, slug=f"{n}-{slug(part.name)}") for n, part in enumerate(parts, 1)]
    return of_all(whole, named)


def _of(name: str, runs: Sequence[Sequence[Run]], look: Look, places: Places) -> Findings:
    """One baseline: designs, timed and matched, and the best split where packets are lost."""
    config, seen = runs[0][0].config, look(runs[0][0])
    if seen.sides is None:
        raise ValueError("; ".join(seen.left_out))
    asked, where = places.requirement, anchored(places, config, seen.sides.whole)
    made = list(designs(runs, seen.sides, where))
    answer = match([one.design for one in made], asked)
    order = [*answer.ranked, *(rejection.design for rejection in answer.rejected)]
    made.sort(key=lambda one: order.index(one.design))
    best = next(one.run for one in made if one.run)
    lost = seen.sides.under_loss(best) if places.options["loss"] else []
    table = Table.of_rows("designs", rows_of(made, answer))
    times = {one.design.name: {**one.ms, "late": one.late} for one in made}
    wanted = ", ".join(f"{k} {v}" for k, v in asdict(asked).items() if v is not None)
    ends = {"device": places.device.name, "server": places.server.name}
    channel = {"channel": f"{places.channel.name}, loss {places.channel.loss:g}"}
    return Findings(
        name,
        answer.sentence,
        _trust(places)
        + "".join(doubt(expected(same)) for same in runs if places.options["predicted"]),
        facts={**ends, **channel, "asked": wanted or "nothing"},
        tables=tables(table.rows, lost),
        figures=drawings(made, asked, lost),
        files={
            "designs.json": answer.document() | {"times": times, "under_loss": lost},
            "designs.csv": table,
        },
        numbers={"latency/fitting": len(answer.ranked), "latency/designs": len(made)},
        logged={"designs": table},
    )


def _trust(places: Places) -> str:
    """How far the times can be trusted, in sentences."""
    said = "Times of devices are predicted; encoding and decoding were timed on this machine."
    for key, device in (("Device", places.device), ("Server", places.server)):
        error = "no net was held out" if device.error is None else f"error {device.error:.0%}"
        said += f" {key} {device.name}: {error}, {device.confidence or 'confidence not said'}."
    return said
