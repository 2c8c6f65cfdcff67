"""The papers' experiments in one go, by the commands their files open with; what each took.

    python benchmarks/experiments.py notmnist=PATH tiny_imagenet=PATH chest_xray=PATH [--seed 2]

From conf/experiment every command with ``scale=cpu`` and the analyses below it; not those that say
``-m`` with ``seed=``, which repeat. ``PATH`` becomes the data set's. A file that builds on another
comes after it, as it uses its trainings; else two go at a time, one thread each. The sweep that
``study=classes`` proposes is run and analysed. Outputs, a log of each command and ``took.csv`` come
to lie below ``outputs/experiments``; run it again and what is finished is used.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from isplit.keys import composed

ROOT = Path(__file__).parents[1]
OUT = Path("outputs") / "experiments"
PLACE = "data.root=PATH"

Row = dict[str, str | int | float]


def main() -> None:
    """Run all, two at a time, and write what each took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("roots", nargs="+", metavar="DATA=PATH", help="where each data set lies")
    parser.add_argument("--only", nargs="+", help="names of experiments; all by default")
    parser.add_argument("--seed", help="of every training; the experiments' own by default")
    asked = parser.parse_args()
    roots = dict(word.split("=", 1) for word in asked.roots)
    rows: list[Row] = []
    began = time.monotonic()
    chains = [
        [(n, [*_commands(n, roots, asked.seed)]) for n in names] for names in _chains(asked.only)
    ]
    OUT.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        for took in pool.map(lambda chain: [*_chain(chain)], chains):
            rows += took
    cpu = sum(float(row["cpu_s"]) for row in rows)
    rows.append({"experiment": "all", "wall_s": round(time.monotonic() - began), "cpu_s": cpu})
    with (OUT / "took.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ["experiment", "command", "exit", "wall_s", "cpu_s"])
        table.writeheader()
        table.writerows(rows)
    failed = [row for row in rows if row.get("exit")]
    print(f"{len(rows) - 1} commands, {len(failed)} failed, {cpu / 3600:.2f} hours of CPU: {OUT}")
    sys.exit(bool(failed))


def _chains(only: list[str] | None) -> list[list[str]]:
    """Names of experiments; each list in order, the lists independent, the costly ones first."""
    chains: dict[str, list[str]] = {}
    minutes: Counter[str] = Counter()
    for path in sorted((ROOT / "conf" / "experiment").glob("*_*.yaml")):
        text = path.read_text("utf-8")
        builds_on = list(yaml.safe_load(text).get("defaults", ()))
        first = next((name for name in chains if name in builds_on), path.stem)
        if "scale=cpu" in text and (not only or path.stem in only):
            chains.setdefault(first, []).append(path.stem)
            cost = re.search(r"# Cost: .*?\bcpu (\d+) minutes", text)
            minutes[first] += int(cost[1]) if cost else 0
    return sorted(chains.values(), key=lambda names: -minutes[names[0]])


def _chain(experiments: list[tuple[str, list[list[str]]]]) -> Iterator[Row]:
    """The rows of some experiments, one command after another."""
    for name, commands in experiments:
        for number, words in enumerate(commands, 1):
            place = OUT / "analyses" / f"{name}-{number}"
            if words[0] == "analyze.py":
                words.append(f"hydra.run.dir={place}")
            yield _run(name, number, words)
            proposed = place / "classes.json"
            if proposed.is_file() and (sweep := _sweep(proposed)):
                trained = OUT / f"{name}_subsets"
                yield _run(name, f"{number}-sweep", [*sweep, f"hydra.sweep.dir={trained}"])
                again = [
                    word.replace(f"runs={OUT / name}", f"runs=[{OUT / name},{trained}]")
                    for word in words[:-1]
                ]
                again.append(f"hydra.run.dir={place}-trained")
                yield _run(name, f"{number}-trained", again)


def _commands(name: str, roots: dict[str, str], seed: str | None = None) -> Iterator[list[str]]:
    """Of an experiment's head, without ``python``, with paths in place of ``PATH``."""
    for line in (ROOT / "conf" / "experiment" / f"{name}.yaml").read_text("utf-8").splitlines():
        words = shlex.split(line.removeprefix("#")) if line.startswith("#   python ") else []
        repeats = any(word.startswith("seed=") for word in words)
        if not words or repeats or ("train.py" in words and "scale=cpu" not in words):
            continue
        if PLACE in words:
            data = [word for word in words if word.startswith(("experiment=", "data="))]
            known = composed("train", data, ROOT / "conf").data.name
            root = next((path for key, path in roots.items() if known.startswith(key)), None)
            if root is None:
                sys.exit(f"{name} needs {known}: say where it lies, {known}=PATH")
            words[words.index(PLACE)] = f"data.root={root}"
        if seed and "train.py" in words:
            words.append(f"seed={seed}")
        yield [word.replace("outputs/", f"{OUT}/") for word in words[1:]]


def _sweep(proposed: Path) -> list[str]:
    """The command that a study of classes proposes, without ``python``; empty: none is left."""
    conditions = json.loads(proposed.read_text("utf-8"))["conditions"]
    return shlex.split(conditions[0]["command"])[1:]


def _run(name: str, number: int | str, words: list[str]) -> Row:
    """Run one command to its end and say what it took; its output goes to a file."""
    began = time.monotonic()
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with (OUT / f"{name}-{number}.log").open("w", encoding="utf-8") as log:
        command = [sys.executable, *words]
        job = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        _, status, used = os.wait4(job.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    row: Row = {"experiment": name, "command": shlex.join(["python", *words]), "exit": code}
    row["wall_s"] = round(time.monotonic() - began)
    row["cpu_s"] = round(used.ru_utime + used.ru_stime)
    print(f"{row['wall_s']:>6} s  exit {code}  {row['command']}", flush=True)
    return row


if __name__ == "__main__":
    main()
