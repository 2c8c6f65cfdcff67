"""What `study=latency` predicts against what the real client and server take, over a shaped link.

    sudo nice -n -10 python benchmarks/reality.py measure --runs SWEEP --json rows.jsonl
    python benchmarks/reality.py report --runs SWEEP --device DEVICE.yaml --json rows.jsonl

`isplit-edge` in one network namespace, `isplit serve` in another, the wire of wire.py between: real
TCP (CUBIC) of the kernel. Each finished split below --runs is a design, exported as
`isplit export` does it. `measure` appends a line of JSON for each design and channel, a channel at
once, and goes on where it stopped. The designs of a channel take turns, some frames each, so that
all see the same machine. Before each turn the whole net is timed here (`study.device_ms` and
`study.server_ms`), and once for each channel the link (`python -m isplit.network measure`).
`report` has the study predict from these, and from DEVICE.yaml of
`python -m isplit.devices measure`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from wire import SERVER, Cell, _namespaces, _start, first_line

ROOT = Path(__file__).parents[1]
LOOPBACK = "loopback"
CHANNELS = {  # rate up and down in bit/s, round trip in s, loss, queue in bytes
    "5 Mbit/s, 20 ms": Cell(5e6, 0.02, 0.0, 60_000, 0),
    "20 Mbit/s, 20 ms": Cell(20e6, 0.02, 0.0, 60_000, 0),
    "100 Mbit/s, 5 ms": Cell(100e6, 0.005, 0.0, 62_500, 0),
    "20 Mbit/s, 40 ms, 1 % lost": Cell(20e6, 0.04, 0.01, 100_000, 0),
}
REQUEST_BYTES = 200  # message beside the payload 145, HTTP/2 and gRPC the rest; the answer likewise
FRAMES, RATE_HZ, IMAGES, CALIBRATION = 200, 12.5, 50, 30
TURNS, LEAD = 5, 5  # and frames at the begin of a turn, while a connection that idled gets going
QUANTILES = tuple(range(1, 100, 2))  # in per cent
Row = dict[str, Any]


def main() -> None:
    """Measure, or report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("task", choices=("measure", "report", "client"))
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--device", type=Path, help="of `python -m isplit.devices measure`")
    parser.add_argument("--json", type=Path, help="the rows")
    parser.add_argument("--overrides", nargs="*", default=[], help="as paths.root=FOLDER")
    parser.add_argument("--client", nargs=2, help="of the task: images, exports by HOST:PORT")
    asked = parser.parse_args()
    if asked.task == "client":
        client(asked.client[0], json.loads(asked.client[1]))
    elif asked.task == "measure":
        measure(asked)
    else:
        report(asked)


def measure(asked: argparse.Namespace) -> None:
    """Append a row for each design and channel that has none."""
    exports = {
        folder.parent.relative_to(asked.runs).as_posix(): folder
        for folder in exports_of(asked.runs)
    }
    images = asked.json.with_suffix(".npy")
    if not images.exists():
        np.save(images, test_images(asked.runs))
    missing = [name for name in [*CHANNELS, LOOPBACK] if name not in channels_of(asked.json)]
    with _namespaces() as (device, server), servers(server, exports) as ports:
        subprocess.run(["ip", "-n", server, "link", "set", "lo", "up"], check=True)
        for channel in missing:
            beside: Row = {}
            if channel == LOOPBACK:
                there = {f"127.0.0.1:{ports[design]}": exports[design] for design in exports}
                seen = run_client(server, images, there)
            else:
                with wire((device, server), CHANNELS[channel]) as late:
                    beside["link"] = link(device, server)
                    there = {f"{SERVER}:{ports[design]}": exports[design] for design in exports}
                    seen = run_client(device, images, there)
                beside["late_ms"] = 1000 * late[0]
            with asked.json.open("a", encoding="utf-8") as file:
                for design, row in zip(exports, seen, strict=True):
                    row = {"channel": channel, "design": design} | beside | row
                    file.write(json.dumps(row) + "\n")
                    times = f"p50 {row['p50_ms']:.1f} p95 {row['p95_ms']:.1f} ms"
                    print(f"{channel:28} {design:40} {times}", flush=True)


def channels_of(path: Path) -> set[str]:
    """Those that are measured."""
    return {channel for channel, _ in rows_of(path)}


def rows_of(path: Path) -> dict[tuple[str, str], Row]:
    """By channel and design."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {(row["channel"], row["design"]): row for row in map(json.loads, lines)}


def exports_of(runs: Path) -> list[Path]:
    """The export of every finished split; made where it is missing."""
    folders = sorted(path.parent for path in runs.rglob("split_model.json"))
    for folder in folders:
        if not (folder / "export" / "manifest.json").exists():
            words = [sys.executable, "-m", "isplit", "export", os.fspath(folder)]
            subprocess.run([*words, "--images", "50"], check=True)
    return [folder / "export" for folder in folders]


def test_images(runs: Path) -> Any:
    """uint8 (N, H, W, 3) of the first run's data."""
    from omegaconf import OmegaConf

    from isplit import config
    from isplit.studies.run_folder import read_config

    folder = next(runs.rglob("split_model.json")).parent
    data = config.build_data(OmegaConf.create(read_config(folder)))
    images, _ = next(iter(data.loader("test", IMAGES)))
    return data.preparation.pixels(images).permute(0, 2, 3, 1).numpy()


@contextlib.contextmanager
def servers(namespace: str, exports: dict[str, Path]) -> Iterator[dict[str, int]]:
    """The port of a server of each export, all in one namespace."""
    started, ports = [], {}
    try:
        for number, (name, folder) in enumerate(exports.items()):
            ports[name] = 8001 + number
            words = ["serve", os.fspath(folder), "--host", "0.0.0.0", "--rest-port", "0"]
            started.append(popen(namespace, ["-m", "isplit", *words, "--port", str(ports[name])]))
        for process in started:
            if not first_line(process):
                raise SystemExit("a server did not start")
        yield ports
    finally:
        for process in started:
            process.kill()
            process.wait()


@contextlib.contextmanager
def wire(names: tuple[str, str], cell: Cell) -> Iterator[list[float]]:
    """The link, CUBIC at both ends; how late it ever was, in seconds, once it is gone."""
    late: list[float] = []
    process = _start([], "carry", cell, [*names, "0"])
    try:
        for name, peer in zip(names, (SERVER, "198.18.0.1"), strict=True):
            words = ["ip", "-n", name, "route", "replace", peer, "dev", "t0", "congctl", "cubic"]
            subprocess.run(words, check=True)
        yield late
    finally:
        process.send_signal(signal.SIGTERM)
        late.append(json.loads(process.communicate()[0])["late_s"])


def link(device: str, server: str) -> Row:
    """The channel as `python -m isplit.network measure` has it."""
    import yaml

    peer = popen(server, ["-m", "isplit.network", "serve"])
    try:
        first_line(peer)
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "link.yaml"
            words = ["-m", "isplit.network", "measure", SERVER, "--out", os.fspath(out)]
            inside(device, [*words, "--seconds", "3"])
            measured: Row = yaml.safe_load(out.read_text(encoding="utf-8"))
            return measured
    finally:
        peer.kill()
        peer.wait()


def run_client(namespace: str, images: Path, exports: dict[str, Path]) -> list[Row]:
    """What the client measured of each."""
    words = [os.fspath(Path(__file__).resolve()), "client", "--client", os.fspath(images)]
    said = inside(namespace, [*words, json.dumps(exports, default=os.fspath)])
    rows: list[Row] = json.loads(said)
    return rows


def inside(namespace: str, words: list[str]) -> str:
    """What Python prints in a namespace."""
    words = ["ip", "netns", "exec", namespace, sys.executable, *words]
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout


def popen(namespace: str, words: list[str]) -> subprocess.Popen[str]:
    """Python, running in a namespace."""
    words = ["ip", "netns", "exec", namespace, sys.executable, *words]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def client(images: str, exports: dict[str, str]) -> None:
    """Print the whole net's time here, and percentiles of frames at a fixed rate, of each."""
    sys.path.append(os.fspath(ROOT / "edge" / "src"))
    pixels = np.load(images)
    with contextlib.ExitStack() as stack:
        designs = [stack.enter_context(Design(export, there)) for there, export in exports.items()]
        for turn in range(TURNS):
            for design in designs:
                design.take_turn(pixels, turn)
        print(json.dumps([design.row(pixels[:1]) for design in designs]))


class Design(contextlib.ExitStack):
    """A client of one export, and what it measured."""

    def __init__(self, export: str, server: str) -> None:
        from isplit_edge import Device

        from isplit.deploy.manifest import HEAD, NET, session

        super().__init__()
        self.nets = {name: session(Path(export) / name) for name in (HEAD, NET)}
        self.device = self.enter_context(Device(export, server, deadline_s=5, fallback=False))
        self.whole_ms: list[float] = []
        self.taken_ms: list[float] = []
        self.sent_bytes: list[int] = []

    def take_turn(self, pixels: Any, turn: int) -> None:
        """Time the whole net, then answer frames at their rate."""
        from isplit.deploy.manifest import NET, run

        self.whole_ms += times_ms(lambda: run(self.nets[NET], pixels[:1]))
        start_s = time.monotonic() + 0.2
        for number in range(LEAD + FRAMES // TURNS):
            arrival_s = start_s + number / RATE_HZ
            time.sleep(max(0.0, arrival_s - time.monotonic()))
            sent = self.device.answer(pixels[(turn + number) % len(pixels)]).payload_bytes
            if number >= LEAD:
                self.taken_ms.append(1000 * (time.monotonic() - arrival_s))
                self.sent_bytes.append(sent)

    def row(self, pixels: Any) -> Row:
        """Percentiles; and, to see where a difference comes from, what the parts take alone."""
        from isplit.deploy.manifest import HEAD, run

        codec, code = self.device._halves[0].codec, run(self.nets[HEAD], pixels)
        payload = codec.encode(code)[0]
        row = {f"p{p}_ms": float(np.percentile(self.taken_ms, p)) for p in (5, 50, 95)}
        row |= {"quantiles_ms": np.percentile(self.taken_ms, QUANTILES).tolist()}
        row |= {"bytes": statistics.fmean(self.sent_bytes)}
        row |= {"whole_ms": statistics.median(self.whole_ms)}
        row |= {"whole_p95_ms": float(np.percentile(self.whole_ms, 95))}
        parts = {
            "head_ms": lambda: run(self.nets[HEAD], pixels),
            "encode_ms": lambda: codec.encode(code),
            "decode_ms": lambda: codec.decode([payload]),
        }
        return row | {name: statistics.median(times_ms(part)) for name, part in parts.items()}


def times_ms(work: Any) -> list[float]:
    """Milliseconds of single runs."""
    taken = []
    for _ in range(CALIBRATION):
        began_s = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - began_s))
    return taken


def report(asked: argparse.Namespace) -> None:
    """Print measured and predicted p50 and p95 of each row, the errors and who wins."""
    rows = predicted(asked)
    for row in rows:
        texts = [
            f"{p} {row[f'{p}_ms']:6.1f} {row[f'said_{p}_ms']:6.1f} {error(row, p):+6.1%}"
            for p in ("p50", "p95")
        ]
        print(f"{row['channel']:28} {row['name']:32} {row['bytes']:6.0f} B  {'   '.join(texts)}")
    for p in ("p50", "p95"):
        errors = [abs(error(row, p)) for row in rows]
        same = [agree(*pair, p) for pair in pairs(rows)]
        wins = [same_winner(rows, channel, p) for channel in CHANNELS]
        fewer = [same_winner([r for r in rows if r is not row], row["channel"], p) for row in rows]
        print(
            f"{p}: error median {statistics.median(errors):.1%}, worst {max(errors):.1%}; the same "
            f"winner in {sum(wins)} of {len(wins)} channels, in {sum(fewer)} of {len(fewer)} where "
            f"one design is left out, the same order in {sum(same)} of {len(same)} pairs"
        )


def predicted(asked: argparse.Namespace) -> list[Row]:
    """The rows with what the study says of them."""
    from isplit.devices import load_device
    from isplit.keys import composed, conf_folder
    from isplit.network import Channel
    from isplit.presets import preset_of
    from isplit.requirements import Requirement
    from isplit.runs.curves import seen_of
    from isplit.studies.collect import collect
    from isplit.studies.latency.designs import designs
    from isplit.studies.latency.places import Places, anchored

    runs = collect([asked.runs]).runs
    words = ["study=latency", "study.image=raw", "logger=none", *asked.overrides]
    seen = seen_of(composed("analyze", words, conf_folder()), runs[0])
    sides, device = seen.sides, load_device(os.fspath(asked.device))
    if sides is None:
        raise SystemExit("; ".join(seen.left_out))
    every, rows = rows_of(asked.json).values(), []
    local = [row for row in every if row["channel"] == LOOPBACK]
    beside_ms = [np.array(row["quantiles_ms"]) - spent_ms(row) for row in local]
    request_ms = np.maximum(np.median(beside_ms, axis=0), 0)
    request = {"request_ms": request_ms.tolist(), "request_bytes": REQUEST_BYTES}
    few = [round(float(np.percentile(request_ms, p)), 2) for p in (5, 50, 95)]
    print(f"a request takes {few} ms (p5, p50, p95) beside the nets and the codec")
    for row in (row for row in every if row["channel"] != LOOPBACK):
        whole_ms = {"device_ms": row["whole_ms"], "server_ms": row["whole_ms"]}
        options: Row = {"frames": FRAMES, "rate_hz": RATE_HZ, "send_W": None, "overlap": False}
        options["predicted"] = False
        options |= whole_ms | request
        channel = preset_of(Channel, row["link"], "channel")
        places = Places(device, device, channel, Requirement(), options)
        run = next(run for run in runs if run.folder == asked.runs / row["design"])
        made = [*designs([[run]], sides, anchored(places, run.config, sides.whole))][-1]
        said = {"said_p50_ms": made.ms["p50_ms"], "said_p95_ms": made.design.p95_ms}
        rows.append(row | said | {"name": made.design.name, "parts": dict(made.ms)})
    return rows


def spent_ms(row: Row) -> float:
    """What a frame takes of both nets and the codec, measured alone."""
    return float(row["whole_ms"] + row["encode_ms"] + row["decode_ms"])


def error(row: Row, what: str) -> float:
    """Of the prediction, relative to what was measured."""
    return float(row[f"said_{what}_ms"] / row[f"{what}_ms"] - 1)


def same_winner(rows: list[Row], channel: str, what: str) -> bool:
    """Whether the fastest design over a channel is the one that was said to be."""
    there = [row for row in rows if row["channel"] == channel]
    really, said = (min(there, key=lambda r: r[f"{by}{what}_ms"]) for by in ("", "said_"))
    return really is said


def pairs(rows: list[Row]) -> list[tuple[Row, Row]]:
    """Of designs over one channel."""
    return [(a, b) for a, b in combinations(rows, 2) if a["channel"] == b["channel"]]


def agree(one: Row, other: Row, what: str) -> bool:
    """Whether the one that is said to be faster is."""
    said, really = (one[f"{by}{what}_ms"] < other[f"{by}{what}_ms"] for by in ("said_", ""))
    return bool(said == really)


if __name__ == "__main__":
    main()
