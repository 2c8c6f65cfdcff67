"""Make a device from measured latencies, or measure this machine.

python -m isplit.devices measure --out my_machine.csv             time a few nets here and fit
python -m isplit.devices fit --measurements FILE.csv --out my_device.yaml
python -m isplit.devices fit --measurements FILE.csv --evaluate --json PATH
"""

import argparse
import datetime
import os
import platform
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median

import numpy as np

from isplit.devices.evaluation import hold_out, hold_out_families, summary
from isplit.devices.fitting import CALIBRATION_NETS, Net, fit
from isplit.devices.measure import NETS, measure, runtimes, works_of
from isplit.devices.measurements import Systems, read_measurements, write_measurements
from isplit.files import write_json
from isplit.presets import save_preset


def main(words: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit status."""
    parser = _parser()
    asked = parser.parse_args(words)
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
    known = read_measurements(asked.measurements, asked.statistic)
    system, precision = asked.system, asked.precision
    wanted = {k for k in known if system in (None, k[0]) and precision in (None, k[1])}
    systems = {key: nets for key, nets in known.items() if key in wanted}
    if not systems or (len(systems) > 1 and asked.out):
        names = "; ".join(" ".join(key) for key in known) or "none, the file is empty"
        raise ValueError(
            f"--system {system} --precision {precision} must name one system of: {names}"
        )
    if asked.evaluate:
        _evaluate(systems, asked.json)
    else:
        _write(systems, asked.measurements, asked.statistic, asked.out)


def _evaluate(systems: Systems, path: Path | None) -> None:
    works = works_of(net for nets in systems.values() for net in nets)
    found = hold_out(systems, works)
    print(f"{len(found)} of {len(systems)} systems, beside {CALIBRATION_NETS} nets to fit to")
    for one in found:
        parts = " ".join(f"{part:6.1%}" for part in np.quantile(one.errors, (0.5, 0.9)))
        print(f"{one.system:56.56} {one.precision:5} {len(one.nets):3} {parts}")
    print(summary("four nets, the rest", found))
    for name, held_out in hold_out_families(systems, works).items():
        print(summary(f"family held out, {name}, {len(held_out)} systems", held_out))
    if path:
        write_json(path, {"systems": [one.document() for one in found]})


def _write(systems: Systems, path: Path, statistic: str, out: Path) -> None:
    """Fit the one system to all of its nets and write it."""
    (((system, precision), nets),) = systems.items()
    works = works_of(nets)
    error = None
    with suppress(ValueError):  # there are too few nets
        error = median(hold_out(systems, works)[0].errors)
    device = fit(
        [works[net] for net in nets],
        [ms / 1000 for ms in nets.values()],
        name=out.stem,
        hardware=system,
        precision=precision,
        statistic=statistic,
        error=error,
        source=f"fitted to {path.name}",
        date=datetime.date.today().isoformat(),
        confidence="measured" if error is not None else "weak: too few nets to hold any out",
        measured={str(net): ms for net, ms in nets.items()},
    )
    save_preset(device, out)
    trust = "unknown: too few nets" if error is None else f"{error:.1%}, median"
    print(f"written: {out} ({device.nets} nets; error for nets held out {trust})")


def _measure(asked: argparse.Namespace) -> None:
    runs: dict[tuple[str, Net], list[float]] = {}
    names, nets = asked.runtime or runtimes(), (*NETS, *map(Net.parse, asked.net))
    for runtime, net, ms in measure(names, nets, asked.threads, asked.repeats):
        runs[runtime, net] = ms
        print(f"{runtime:12} {net!s:26} {median(ms):9.2f} ms", flush=True)
        write_measurements(asked.out, asked.name.replace("/", "-"), runs)
    for key, times in read_measurements(asked.out, "p50_ms").items():
        _write({key: times}, asked.out, "p50_ms", asked.out.with_name(f"{key[0]}.yaml"))


if __name__ == "__main__":
    sys.exit(main())
