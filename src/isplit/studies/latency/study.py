"""The study of latency: every design of a trained net on two devices and a channel, matched."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from isplit.matching import Match, match
from isplit.report.findings import Findings
from isplit.report.table import Table
from isplit.studies.collect import Collection, Run, by_condition
from isplit.studies.conditions import slug
from isplit.studies.latency.designs import Places, Timed, plans, timed
from isplit.studies.latency.shown import designs_rows, designs_table, drawings, loss_table
from isplit.studies.seen import Look, UnderLoss

log = logging.getLogger(__name__)

Runs = Mapping[str, Sequence[Run]]
"""The runs on one baseline, by condition."""


def latency_study(found: Collection, look: Look, options: Mapping[str, Any]) -> Findings:
    """What a frame costs in every design of each baseline, and which design is to be taken.

    Raises:
        ValueError: a device, server or channel is missing or cannot be; no run can be opened again.
    """
    places = Places.of(options)
    parts, left_out = [], list(found.left_out)
    for runs in _by_baseline(found.runs).values():
        first = next(iter(runs.values()))[0]
        name = f"{first.result.model} on {first.result.data}, seed {first.result.seed}"
        try:
            parts.append(_of(name, runs, look, places, options))
        except ValueError as error:
            left_out.append(f"{name}: {error}")
    if not parts:
        raise ValueError("no run to make designs of:\n  " + "\n  ".join(left_out))
    if len(parts) == 1:
        return replace(parts[0], slug="", left_out=left_out)
    numbered = [replace(part, slug=f"{n}-{part.slug}") for n, part in enumerate(parts, 1)]
    answer = " ".join(f"{part.name}: {part.answer}" for part in parts)
    return Findings("What a frame costs", answer, left_out=left_out, parts=numbered)


def _of(name: str, runs: Runs, look: Look, places: Places, options: Mapping[str, Any]) -> Findings:
    """One baseline: designs, timed, matched, and the best split where packets are lost."""
    first = next(iter(runs.values()))[0]
    seen = look(first)
    if seen.sides is None:
        raise ValueError("; ".join(seen.left_out) or "its net cannot be opened again")
    sides = seen.sides
    width, size = first.config["model"].get("width", 1), first.config["data"].get("image_size")
    net = f"{first.result.model}{'' if width == 1 else f'*{width:g}'}@{size}"
    log.info("%s: %d conditions", name, len(runs))
    made = [timed(plan, places, net, sides.whole, options) for plan in plans(runs, sides)]
    answer = match([one.design for one in made], places.requirement)
    order = [*answer.ranked, *(rejection.design for rejection in answer.rejected)]
    made.sort(key=lambda one: order.index(one.design))
    lost: list[UnderLoss] = []
    if options["loss"]:
        lost = sides.under_loss(_shown_run(made, runs))
    rows = designs_rows(made, answer)
    files: dict[str, Any] = {"designs.json": _document(answer, made, lost)}
    return Findings(
        name,
        answer.sentence,
        _trust(places),
        slug=slug(name),
        facts=_facts(places),
        tables=[designs_table(rows), *([loss_table(lost)] if lost else [])],
        figures=drawings(made, places.requirement, lost),
        files=files | {"designs.csv": Table.of_rows("designs", rows)},
        numbers={"latency/fitting": len(answer.ranked), "latency/designs": len(made)},
        logged={"designs": Table.of_rows("designs", rows)},
        words={"front": "No other design is as good in accuracy, latency, energy and bytes."},
    )


def _by_baseline(runs: Sequence[Run]) -> dict[str, dict[str, list[Run]]]:
    """Conditions that share their unsplit net."""
    found: dict[str, dict[str, list[Run]]] = {}
    for name, same in by_condition(runs).items():
        baseline = same[0].result.stages["baseline"].fingerprint
        found.setdefault(baseline, {})[name] = same
    return found


def _shown_run(made: Sequence[Timed], runs: Runs) -> Run:
    """A run of the split that ranks first."""
    best = next(one.design for one in made if one.design.scenario == "SC")
    every = [run for same in runs.values() for run in same]
    return next(
        run
        for run in every
        if (run.result.split.label, run.result.bottleneck.compression_rate)
        == (best.layer, best.rate)
    )


def _document(answer: Match, made: Sequence[Timed], lost: Sequence[UnderLoss]) -> dict[str, Any]:
    times = {one.design.name: asdict(one) for one in made}
    for one in times.values():
        del one["design"]
    return answer.document() | {"times": times, "under_loss": list(lost)}


def _trust(places: Places) -> str:
    """How far the times can be trusted, in sentences."""
    said = []
    for key, device in (("device", places.device), ("server", places.server)):
        error = "no net was held out" if device.error is None else f"error {device.error:.0%}"
        said.append(f"{key} {device.name}: {error}, {device.confidence or 'confidence not said'}.")
    return " ".join(
        [
            "Times of devices are predicted, not measured.",
            *said,
            "Encoding and decoding were timed on this machine. docs/latency.md says what is left "
            "out.",
        ]
    )


def _facts(places: Places) -> dict[str, str | int | float]:
    asked = {k: v for k, v in asdict(places.requirement).items() if v is not None}
    return {
        "device": places.device.name,
        "server": places.server.name,
        "channel": f"{places.channel.name}, loss {places.channel.loss:g}",
        "asked": ", ".join(f"{key} {value}" for key, value in asked.items()) or "nothing",
    }
