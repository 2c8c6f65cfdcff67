"""The study of latency: every design of a trained net on two devices and a channel, matched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from isplit.matching import match
from isplit.report.findings import Findings
from isplit.report.table import Table
from isplit.studies.collect import Collection, Run, by_condition
from isplit.studies.conditions import slug
from isplit.studies.latency.designs import Places, plans, timed
from isplit.studies.latency.shown import drawings, rows_of, tables
from isplit.studies.seen import Look


def latency_study(found: Collection, look: Look, options: Mapping[str, Any]) -> Findings:
    """What a frame costs in every design of each baseline, and which design is to be taken.

    Raises:
        ValueError: device, server or channel is missing or cannot be; no net can be opened again.
    """
    places = Places.of(options)
    baselines: dict[str, list[list[Run]]] = {}
    for same in by_condition(found.runs).values():
        baselines.setdefault(same[0].result.stages["baseline"].fingerprint, []).append(same)
    parts: list[Findings] = []
    left_out = list(found.left_out)
    for runs in baselines.values():
        result = runs[0][0].result
        name = f"{result.model} on {result.data}, seed {result.seed}"
        try:
            part = _of(name, runs, look, places, options)
        except ValueError as error:
            left_out.append(f"{name}: {error}")
        else:
            parts.append(replace(part, slug=f"{len(parts) + 1}-{slug(name)}"))
    if not parts:
        raise ValueError("no net to make designs of:\n  " + "\n  ".join(left_out))
    if len(parts) == 1:
        return replace(parts[0], slug="", left_out=left_out)
    answer = " ".join(f"{part.name}: {part.answer}" for part in parts)
    return Findings("What a frame costs", answer, left_out=left_out, parts=parts)


def _of(
    name: str,
    runs: Sequence[Sequence[Run]],
    look: Look,
    places: Places,
    options: Mapping[str, Any],
) -> Findings:
    """One baseline: designs, timed and matched, and the best split where packets are lost."""
    config = runs[0][0].config
    seen = look(runs[0][0])
    if seen.sides is None:
        raise ValueError("; ".join(seen.left_out))
    sides, model = seen.sides, config["model"]
    width = model.get("width", 1)
    net = f"{model.get('arch') or model['name']}{'' if width == 1 else f'*{width:g}'}"
    devices = places.anchored(f"{net}@{config['data']['image_size']}", sides.whole, options)
    made = [timed(plan, devices, places, options) for plan in plans(runs, sides)]
    answer = match([one.design for one in made], places.requirement)
    order = [*answer.ranked, *(rejection.design for rejection in answer.rejected)]
    made.sort(key=lambda one: order.index(one.design))
    best = next(one.plan.run for one in made if one.plan.run)
    lost = sides.under_loss(best) if options["loss"] else []
    rows = rows_of(made, answer)
    asked = {key: value for key, value in asdict(places.requirement).items() if value is not None}
    times = {one.design.name: {**one.ms, "late": one.late} for one in made}
    return Findings(
        name,
        answer.sentence,
        _trust(places),
        facts={
            "device": places.device.name,
            "server": places.server.name,
            "channel": f"{places.channel.name}, loss {places.channel.loss:g}",
            "asked": ", ".join(f"{key} {value}" for key, value in asked.items()) or "nothing",
        },
        tables=tables(rows, lost),
        figures=drawings(made, places.requirement, lost),
        files={
            "designs.json": answer.document() | {"times": times, "under_loss": lost},
            "designs.csv": Table.of_rows("designs", rows),
        },
        numbers={"latency/fitting": len(answer.ranked), "latency/designs": len(made)},
        logged={"designs": Table.of_rows("designs", rows)},
    )


def _trust(places: Places) -> str:
    """How far the times can be trusted, in sentences."""
    said = "Times of devices are predicted; encoding and decoding were timed on this machine."
    for key, device in (("Device", places.device), ("Server", places.server)):
        error = "no net was held out" if device.error is None else f"error {device.error:.0%}"
        said += f" {key} {device.name}: {error}, {device.confidence or 'confidence not said'}."
    return said
