"""How long a command is silent, against the imports that it cannot do without, side by side.

python benchmarks/first_line.py [--rounds 5] [--json PATH]

A refusal is held against ``import torch``, a run (to its first line; it is then stopped) against
``import torch, lightning``. Rounds alternate and medians are compared, since a machine's load
changes; the first round, which reads from disk, does not count.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
TORCH = [sys.executable, "-c", "import torch; print()"]
LIGHTNING = [sys.executable, "-c", "import torch, lightning; print()"]
TRAIN = [sys.executable, str(ROOT / "train.py")]
MEASURED = {
    "refusal: seed=-1": ([*TRAIN, "seed=-1"], TORCH),
    "refusal: split.layr=5": ([*TRAIN, "split.layr=5"], TORCH),
    "refusal: -m seed=0,-1": ([*TRAIN, "-m", "seed=0,-1"], TORCH),
    "help": ([*TRAIN, "--help"], TORCH),
    "run": ([*TRAIN, "trainer=smoke", "logger=none"], LIGHTNING),
}


def main() -> None:
    """Prints a line for each: seconds, the reference's, the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (command, reference) in MEASURED.items():
            pairs = [
                (first_line_s(command, folder), first_line_s(reference, folder))
                for _ in range(given.rounds + 1)
            ][1:]
            own, other = (median(seconds) for seconds in zip(*pairs, strict=True))
            found[name] = {"seconds": own, "reference_s": other, "ratio": own / other}
            print(f"{name:24} {own:6.2f} s  {other:6.2f} s  ratio {own / other:.2f}")
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(found, indent=2))


def first_line_s(command: list[str], folder: str) -> float:
    """Seconds from the start of the process to its first line, of either stream."""
    begin = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=folder
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        seconds = time.perf_counter() - begin
        process.kill()
    return seconds


if __name__ == "__main__":
    main()
