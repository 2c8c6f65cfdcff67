"""``train(cfg)``: from a config to results, the whole story in order.

::

    data, net -> baseline -> trace -> split points -> curve -> select
                                                                 |  for each chosen point
          result.json <- codec <- finetune <- autoencoder <- head | bottleneck | tail
"""

import copy
import logging
import time
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from isplit import config, job, stages
from isplit.bottleneck import bottleneck_at
from isplit.files import write_text
from isplit.graph import split_at
from isplit.importance.curve import Curve
from isplit.keys import checked
from isplit.model import SplitModel
from isplit.point import SplitPoint
from isplit.report.findings import write_findings
from isplit.report.screen import say
from isplit.result import SplitResult
from isplit.runs.base import Base, curve_of, open_baseline, workbench
from isplit.runs.choice import SEARCH, selected
from isplit.runs.folder import sole_job_in
from isplit.runs.outcome import Trained, split_result, write_split
from isplit.runs.required import refuse_requirement, search_among
from isplit.runs.search import copy_result
from isplit.stages import Team, derived_seed, seeded
from isplit.studies.job import curve_findings, flat_numbers, job_findings
from isplit.tracking import log_findings, prefixed

log = logging.getLogger(__name__)


def train(cfg: DictConfig) -> list[SplitResult]:
    """The results of one job, one for each split point that ``split.layer`` stands for.

    Everything lands in ``paths.output``: a result in the folder itself, or, when there are
    several, each in a folder named after its point. ``result.json`` comes last.
    """
    cfg = checked(cfg)
    with job.team(cfg) as (team, own):
        return _train(own, team)


def _train(cfg: DictConfig, team: Team) -> list[SplitResult]:
    """As one of the processes that run the job; mostly the only one."""
    folder = config.output_folder(cfg)
    log.info("results in %s", folder)
    settings = OmegaConf.to_yaml(cfg, resolve=True)
    with sole_job_in(folder, settings), job.loggers(cfg, folder) as loggers:
        refuse_requirement(cfg)
        bench = workbench(cfg, loggers, team)
        base = open_baseline(cfg, bench)
        curve = curve_of(base)
        chosen = selected(cfg, curve, config.plain(cfg.split.layer))
        auto = selected(cfg, curve, "auto")[0].index
        write_findings(curve_findings(curve, chosen, auto), folder)
        results: list[SplitResult] = []
        searching = cfg.split.layer == SEARCH
        search = search_among(base, curve, chosen)
        count = min(search.budget, len(search.candidates)) if searching else len(chosen)
        several, begin_s = searching or count > 1, time.monotonic()
        for point in search.points(results) if searching else chosen:
            ahead = _minutes_ahead(time.monotonic() - begin_s, len(results), count)
            log.info("split at %s (%d of %d)%s", point.label, len(results) + 1, count, ahead)
            place, prefix = (folder / _place(point), f"{point.label}/") if several else (folder, "")
            results.append(_split(_told(base, prefix), curve, point, place))
            log_findings(loggers, flat_numbers(results[-1], prefix))
        found = job_findings(curve, results, auto)
        if searching:
            found = search.findings(results, found)
            best = search.best(results).split.index
            copy_result(folder / _place(curve.points[best]), folder)
        write_findings(found, folder)
        log.info("open %s, the numbers are beside it", folder / "curve.png")
        write_text(folder / "results.txt", say(found))
        made = {r.split.layer: {s: r.stages[s].fingerprint for s in r.stages} for r in results}
        bench.store.finish_job({"output": str(folder), "splits": made})
    return results


def _told(base: Base, prefix: str) -> Base:
    """The same, whose trainings have names of their own where loggers are told of them."""
    engine = base.bench.engine
    loggers = tuple(prefixed(logger, prefix) for logger in engine.loggers)
    return replace(base, bench=replace(base.bench, engine=replace(engine, loggers=loggers)))


def _minutes_ahead(seconds: float, done: int, count: int) -> str:
    """How long the points that are left take if they take as long as those that are done."""
    minutes = seconds / 60 * (count - done) / max(1, done)
    return f", about {minutes:.0f} minutes ahead" if minutes > 1 else ""


def _place(point: SplitPoint) -> str:
    """The folder of one split among several."""
    return f"{point.index:02d}-{point.label}"


def _split(base: Base, curve: Curve, point: SplitPoint, folder: Path) -> SplitResult:
    """Cut at one point, train what there is to train, send it; everything in ``folder``."""
    cfg, bench = base.cfg, base.bench
    rate = config.rate_of(cfg)(point)
    if cfg.repeat:  # another training on the same baseline
        bench = replace(bench, seed=derived_seed(cfg.seed, cfg.repeat))
    head, tail = split_at(copy.deepcopy(base.traced), point)
    with seeded(bench.seed, "bottleneck", point.node):
        split = SplitModel(head, bottleneck_at(point, rate), tail)
    done = {"baseline": base.stored}
    sending = config.sending(cfg)
    sending = sending and stages.affordable(sending, bench, split.bottleneck.code_shape)
    if rate:
        through = sending if cfg.stage.finetune.through_codec else None
        encoding = config.recipe(cfg, "autoencoder")
        encoded = stages.autoencoder(bench, split, point, base.stored, encoding)
        tuned = stages.finetune(bench, split, encoded, config.fine_tuning(cfg), through)
        done |= {"autoencoder": encoded, "finetune": tuned}
    elif cfg.bottleneck.get("finetune"):  # the control: the unsplit net trained on as long
        how, at = config.fine_tuning(cfg), point.node
        done["finetune"] = stages.finetune(bench, split, base.stored, how, at=at)
    if sending:
        done["codec"] = stages.coded(bench, split, point, [*done.values()][-1], sending)
    made = Trained(base, curve, point, rate, split, done)
    result = split_result(made)
    write_split(made, result, folder)
    return result
