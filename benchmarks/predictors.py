"""What every predictor costs beside how well it agrees, over the runs of a folder, in one table.

    python benchmarks/predictors.py outputs/runs --json outputs/bench/predictors.json

For each condition (docs/predictors.md) the ways take turns within each repeat, so that a busy
machine slows all of them, and a ratio is taken within its repeat; the table gives the median over
repeats and conditions. One CUI pass is a forward and a backward pass over the same images by which
the CUI of every point is made. Then, once, with nothing cached: the analysis of --analysed images
against bare forward and backward passes over the very same batches, turn by turn.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from torch import Tensor

from isplit import config
from isplit.files import write_json
from isplit.importance import PREDICTORS, importance_curves
from isplit.runs.base import Base
from isplit.runs.curves import seen_of
from isplit.runs.reopened import reopened
from isplit.studies.agreement.leaderboard import leaderboard
from isplit.studies.agreement.study import judged_conditions
from isplit.studies.collect import Run, by_condition, collect

CONF = Path(__file__).parents[1] / "conf"
SHARED = ("cui", "gradient", "cosine")  # what one pass over the images gives
TRAINED = ("minus_nmse", "after_autoencoder")


def main() -> None:
    """Time every predictor on every condition, print the table, write it as JSON if asked."""
    options = _options()
    torch.set_num_threads(1)
    logging.getLogger("isplit").setLevel(logging.ERROR)
    cfg = _config(options)
    groups = by_condition(collect(options.runs).runs)
    ratios: dict[str, list[float]] = {kind: [] for kind in PREDICTORS}
    for name, runs in groups.items():
        print(f"timing {name}", flush=True)
        for kind, measured in _in_cui_passes(cfg, runs[0], options).items():
            ratios[kind] += measured
    rows = _rows(cfg, groups, ratios)
    analysis = _analysis(cfg, next(iter(groups.values()))[0], options)
    Console(width=140).print(_table(rows, len(groups)))
    print(
        f"analysis of {analysis['points']} points x {analysis['images']} images: "
        f"{analysis['ratio']:.3f}x the bare passes ({analysis['lowest']:.3f} to "
        f"{analysis['highest']:.3f} in {options.repeats})"
    )
    if options.json:
        write_json(options.json, {"predictors": rows, "analysis": analysis})


def _in_cui_passes(
    cfg: DictConfig, run: Run, options: argparse.Namespace
) -> dict[str, list[float]]:
    """Time of each kind over that of the CUI in the same repeat."""
    ready = reopened(cfg, run)
    ways = {kind: _way(ready, [kind], options.images, "validation") for kind in PREDICTORS}
    ways["cui"]()  # warm up
    seconds = [{kind: _seconds(way) for kind, way in ways.items()} for _ in range(options.repeats)]
    return {kind: [turn[kind] / turn["cui"] for turn in seconds] for kind in ways}


def _analysis(cfg: DictConfig, run: Run, options: argparse.Namespace) -> dict[str, Any]:
    """All that the gradients give for many images, over bare passes over the same batches.

    The bare pass of every batch comes just before ours, so that a busy machine slows both; both
    count the reading of the batch.
    """
    ready = reopened(cfg, run)
    net, names = ready.traced.eval().requires_grad_(False), ready.bench.data.class_names
    points = ready.points
    first = net.get_submodule(points[0].name)
    reading = bare = 0.0
    images = 0

    def bare_pass(batch: Tensor, labels: Tensor) -> None:
        hook = first.register_forward_hook(lambda module, given, out: out.detach().requires_grad_())
        net(batch).gather(1, labels[:, None]).sum().backward()
        hook.remove()

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        nonlocal reading, bare, images
        reading, bare, images, start = 0.0, 0.0, 0, time.perf_counter()
        for batch, labels in _batches(ready, options.analysed, "test"):
            read = time.perf_counter()
            bare_pass(batch, labels)
            done = time.perf_counter()
            reading, bare, images = reading + read - start, bare + done - read, images + len(batch)
            yield batch, labels
            start = time.perf_counter()

    def ratio() -> float:
        ours = _seconds(lambda: importance_curves(net, points, batches(), names, SHARED)) - bare
        return ours / (reading + bare)

    ratio()  # warm up
    found = [ratio() for _ in range(options.repeats)]
    return {
        "points": len(points),
        "images": images,
        "ratio": statistics.median(found),
        "lowest": min(found),
        "highest": max(found),
    }


def _way(ready: Base, kinds: list[str], images: int, split: str) -> Callable[[], object]:
    names, rate_of = ready.bench.data.class_names, config.rate_of(ready.cfg)
    traced, points = ready.traced, ready.points
    return lambda: importance_curves(
        traced, points, _batches(ready, images, split), names, kinds, rate_of=rate_of
    )


def _batches(ready: Base, images: int, split: str) -> Any:
    return ready.bench.data.loader(split, 64, shuffle=True, images=images)


def _seconds(way: Callable[[], object]) -> float:
    start = time.perf_counter()
    way()
    return time.perf_counter() - start


def _rows(
    cfg: DictConfig, groups: dict[str, list[Run]], ratios: dict[str, list[float]]
) -> list[dict[str, Any]]:
    conditions = [c for c, _ in judged_conditions(groups, partial(seen_of, cfg))]
    scored = [condition for condition in conditions if condition.agreement]
    board = leaderboard(scored)
    rows = []
    for standing in board.standings:
        kind = standing.predictor
        cost = scored[0].costs.get(kind)
        rows.append(
            {
                "predictor": kind,
                "cui_passes": statistics.median(ratios[kind]) if kind in ratios else None,
                "forward": cost.forward if cost else None,
                "backward": cost.backward if cost else None,
                "training": kind in TRAINED,
                "mean_spearman": standing.mean_spearman,
                "lowest": standing.lowest,
                "highest": standing.highest,
                "conditions": standing.conditions,
                "beats_cui": standing.beats_cui,
            }
        )
    return rows


def _table(rows: list[dict[str, Any]], conditions: int) -> Table:
    table = Table(title=f"predictors over {conditions} conditions")
    for column in ("predictor", "CUI passes", "forward", "backward", "mean Spearman", "range"):
        table.add_column(column, justify="left" if column == "predictor" else "right")
    for row in rows:
        passes = "training" if row["training"] else _number(row["cui_passes"])
        span = f"{row['lowest']:+.2f} to {row['highest']:+.2f}"
        counted = (_number(row["forward"]), _number(row["backward"]))
        table.add_row(row["predictor"], passes, *counted, f"{row['mean_spearman']:+.3f}", span)
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _config(options: argparse.Namespace) -> DictConfig:
    where = f"paths.root={options.root.resolve()}"
    study = [
        f"study.images={options.images}",
        "threads=1",
        "paths.output=unused",
        "study.heat_maps=0",
    ]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("analyze", [where, *study])


def _options() -> argparse.Namespace:
    first, _, rest = str(__doc__).partition("\n\n")
    parser = argparse.ArgumentParser(
        description=first, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path, help="folders with finished runs")
    parser.add_argument("--root", type=Path, default=Path("outputs"), help="holds store and cache")
    parser.add_argument("--images", type=int, default=512, help="for each predictor")
    parser.add_argument("--analysed", type=int, default=2000, help="test images of the analysis")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the table to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
