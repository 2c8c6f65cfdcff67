"""Make a device from measured latencies, or measure this machine.

python -m isplit.devices measure --out my_machine.csv             time a few nets here and fit
python -m isplit.devices fit --measurements FILE.csv --out my_device.yaml
python -m isplit.devices fit --measurements FILE.csv --evaluate --json PATH
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from isplit.devices.evaluation import (
    HeldOut,
    document,
    family,
    hold_out,
    hold_out_families,
    quantiles,
)
from isplit.devices.fitting import CALIBRATION_NETS, Net, fit
from isplit.devices.measure import NETS, measure, runtimes
from isplit.devices.measurements import Systems, by_system, read_measurements, write_measurements
from isplit.devices.nets import works_of
from isplit.devices.presets import save_device
from isplit.files import write_json
from isplit.types import Work


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit status."""
    parser = _parser()
    asked = parser.parse_args(words)
    warnings.showwarning = _warn
    try:
        asked.run(asked)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m isplit.devices", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(required=True)
    to_fit = commands.add_parser("fit", help="a device from a file of latencies")
    to_fit.add_argument("--measurements", type=Path, required=True, metavar="FILE.csv")
    to_fit.add_argument("--statistic", default="mean_ms", help="column of the latencies")
    to_fit.add_argument("--system", help="of the file, where it has several")
    to_fit.add_argument("--precision", help="of the system, where it has several")
    what = to_fit.add_mutually_exclusive_group(required=True)
    what.add_argument("--out", type=Path, metavar="DEVICE.yaml", help="write the device there")
    what.add_argument("--evaluate", action="store_true", help="how far off are nets held out?")
    to_fit.add_argument("--json", type=Path, metavar="PATH", help="of --evaluate, each net")
    to_fit.set_defaults(run=_fit)
    here = commands.add_parser("measure", help="time a few nets on this machine and fit")
    here.add_argument("--out", type=Path, default=Path("my_machine.csv"), metavar="FILE.csv")
    here.add_argument("--name", default=platform.node() or "my_machine", help="of this machine")
    here.add_argument("--runtime", action="append", help=f"here: {', '.join(runtimes())}")
    here.add_argument("--net", action="append", default=[], help="one more, such as vgg16@224")
    here.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    here.add_argument("--repeats", type=int, default=30)
    here.set_defaults(run=_measure)
    return parser


def _fit(asked: argparse.Namespace) -> None:
    if asked.json and not asked.evaluate:
        raise ValueError("--json goes with --evaluate")
    systems = _chosen(by_system(read_measurements(asked.measurements, asked.statistic)), asked)
    if asked.evaluate:
        return _evaluate(systems, asked.json)
    if len(systems) > 1:
        names = "; ".join(f"{system} {precision}" for system, precision in systems)
        raise ValueError(f"several systems: say --system and --precision, one of: {names}")
    return _write(systems, asked.measurements, asked.statistic, asked.out)


def _chosen(systems: Systems, asked: argparse.Namespace) -> Systems:
    """The systems that were asked for."""
    wanted = (asked.system, asked.precision)
    chosen = {
        key: nets
        for key, nets in systems.items()
        if all(want in (None, has) for want, has in zip(wanted, key, strict=True))
    }
    if not chosen:
        names = "; ".join(" ".join(key) for key in systems) or "none"
        raise ValueError(f"--system {asked.system} --precision {asked.precision}: {names}")
    return chosen


def _evaluate(systems: Systems, path: Path | None) -> None:
    works = works_of(net for nets in systems.values() for net in nets)
    found = hold_out(systems, works)
    left_out = len(systems) - len(found)
    _say(f"{len(found)} systems, {left_out} left out with at most {CALIBRATION_NETS} nets")
    for one in found:
        middle, high = quantiles(one.errors)
        _say(f"{one.system:56.56} {one.precision:5} {len(one.nets):3} {middle:6.1%} {high:6.1%}")
    _summary("four nets, the rest", found)
    families = [one for one in hold_out_families(systems, works) if one.nets]
    for name in sorted({family(one.nets[0].net.model) for one in families}):
        same = [one for one in families if family(one.nets[0].net.model) == name]
        _summary(f"family held out, {name}, {len(same)} systems", same)
    if path:
        write_json(path, document(found))


def _summary(title: str, found: Sequence[HeldOut]) -> None:
    if not found:
        return
    middle, high = quantiles([quantiles(one.errors)[0] for one in found])
    pooled = quantiles([error for one in found for error in one.errors])
    _say(
        f"{title}: median error of a system {middle:.1%} (90th percentile of systems {high:.1%}); "
        f"over all nets {pooled[0]:.1%} (90th percentile {pooled[1]:.1%})"
    )


def _write(systems: Systems, path: Path, statistic: str, out: Path) -> None:
    """Fit the one system to all of its nets and write it."""
    ((system, precision), nets), *_ = systems.items()
    works = works_of(nets)
    device = fit(
        [works[net] for net in nets],
        [ms / 1000 for ms in nets.values()],
        name=out.stem,
        hardware=system,
        precision=precision,
        statistic=statistic,
        error=_error(systems, works),
        source=f"fitted to {path.name}",
        date=datetime.date.today().isoformat(),
        confidence="measured",
        measured={str(net): ms for net, ms in nets.items()},
    )
    save_device(device, out)
    trust = "unknown: too few nets" if device.error is None else f"{device.error:.1%}, median"
    _say(f"written: {out} ({device.nets} nets; error for nets held out {trust})")


def _error(systems: Systems, works: Mapping[Net, Work]) -> float | None:
    """Median error of the nets held out; ``None`` where there are too few to hold any out."""
    nets = next(iter(systems.values()))
    if len(nets) <= CALIBRATION_NETS:
        return None
    return quantiles(hold_out(systems, works)[0].errors)[0]


def _measure(asked: argparse.Namespace) -> None:
    names = asked.runtime or runtimes()
    runs: dict[tuple[str, Net], list[float]] = {}
    nets = (*NETS, *map(Net.parse, asked.net))
    for runtime, net, ms in measure(names, nets, asked.threads, asked.repeats):
        runs[runtime, net] = ms
        _say(f"{runtime:12} {net!s:26} {median(ms):9.2f} ms")
        write_measurements(asked.out, asked.name, runs)
    for key, times in by_system(read_measurements(asked.out, "p50_ms")).items():
        out = asked.out.with_name(f"{key[0]}.yaml")
        _write({key: times}, asked.out, "p50_ms", out)


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    sys.stderr.write(f"{message}\n")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
