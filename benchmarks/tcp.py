"""Simulated TCP transfers against real ones of the kernel, cell by cell.

    python benchmarks/tcp.py --transfers ../shared/data/tcp_transfers.csv --json tcp.json
    sudo python benchmarks/tcp.py --real fresh.csv --json tcp.json         # measures anew first

A transfer lasts from the first byte sent on an open connection to a reply of one byte. Nothing is
fitted cell by cell, and nothing to the transfers: the round trip is the nominal one plus what the
hosts add, the median over the file's handshakes; the hosts were busy, so a train of
acknowledgements goes undisturbed for 10 ms on average. Beside it:

naive        8S/B + RTT, as most papers on split computing have it
slow start   the closed form of Kurose and Ross, initial window of 10 segments, no losses
ns.py        0.4.3, a simulator of networks in Python; its figures for three cells as they were
             measured once with its defaults and tuned, not run here
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import statistics
from collections import defaultdict
from pathlib import Path

from wire import Cell, transfers

from isplit.network.channel import Channel
from isplit.network.tcp import connect, transfer
from isplit.network.transport import Tcp

UNDISTURBED_S = 0.01
SEGMENT_BYTES, HEADER_BYTES, SYN_BYTES, INITIAL_WINDOW = 1448, 52, 60, 10
NS_PY = [  # rate in Mbit/s, RTT in ms, loss in %, seconds: real, ns.py by default, tuned
    (20, 50, 0, 0.167, 0.408, 0.166),
    (20, 5, 1, 0.039, 0.059, 1.026),
    (5, 5, 1, 0.140, 0.815, 0.605),
]
GRID = [  # what --real measures: every cell, lossy ones more often
    Cell(rate, rtt, loss, max(rate * rtt / 8, 30_000), size)
    for loss in (0.0, 0.01, 0.03)
    for rate in (5e6, 20e6, 100e6)
    for rtt in (0.005, 0.05)
    for size in (10_000, 80_000, 800_000, 3_000_000)
]
KEYS = ("rate_bit_s", "rtt_s", "loss", "queue_bytes", "payload_bytes")
TIMES = ("cold_transfer_s", "connect_s", "retransmits", "warm_transfer_s")


def main() -> None:
    """Print a line per cell and the errors; write the cells."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--transfers", type=Path, help="a CSV file of real transfers")
    parser.add_argument(
        "--real", type=Path, help="measure real transfers into this file first (root)"
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--repeats", type=int, default=100, help="simulated transfers per cell")
    asked = parser.parse_args()
    if asked.real:
        measure(asked.real)
    path = asked.real or asked.transfers
    if path is None:
        parser.error("--transfers or --real is needed")
    measured = read(path)
    host_s = host_delay(measured)
    print(f"the hosts add {host_s * 1e3:.2f} ms to a round trip")
    cells, others = [], []
    for cell, rows in measured.items():
        cells.append(compare(cell, rows, host_s, asked.repeats))
        others.append({"naive": naive(cell), "slow_start": slow_start(cell)})
        print(line(cells[-1], others[-1]), flush=True)
    report(cells, others)
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(json.dumps({"cells": cells}, indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> dict[Cell, list[dict[str, float]]]:
    """The rows of each cell, in the order of the file."""
    cells: dict[Cell, list[dict[str, float]]] = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            numbers = [float(row[key]) for key in KEYS]
            rate, rtt, loss, queue, size = numbers[:5]
            cell = Cell(rate, rtt, loss, queue, int(size), row["congestion_control"])
            cells[cell].append({key: float(row[key]) for key in ("cold_transfer_s", "connect_s")})
    return cells


def host_delay(measured: dict[Cell, list[dict[str, float]]]) -> float:
    """What a handshake takes beyond the link: the median over all rows, in seconds."""
    beyond_s = [
        row["connect_s"] - cell.rtt_s - 2 * SYN_BYTES * 8 / cell.rate_bit_s
        for cell, rows in measured.items()
        for row in rows
    ]
    return max(0.0, statistics.median(beyond_s))


def compare(
    cell: Cell, rows: list[dict[str, float]], host_s: float, repeats: int
) -> dict[str, float]:
    """The cell as measured and as simulated."""
    channel = Channel(
        cell.rate_bit_s,
        cell.rate_bit_s,
        cell.rtt_s + host_s,
        loss=cell.loss,
        queue_bytes=cell.queue_bytes,
    )
    tcp = Tcp(congestion_control=cell.congestion_control, undisturbed_s=UNDISTURBED_S)
    there, back = connect(channel, tcp), connect(channel, tcp, upwards=False)
    simulated = [
        transfer(there, cell.payload_bytes, seed=seed).delivered_s
        + transfer(back, 1, seed=repeats + seed).delivered_s
        for seed in range(repeats)
    ]
    real = [row["cold_transfer_s"] for row in rows]
    return {
        "rate_mbit": cell.rate_bit_s / 1e6,
        "rtt_ms": cell.rtt_s * 1e3,
        "loss": cell.loss,
        "bytes": cell.payload_bytes,
        "measured_median_s": statistics.median(real),
        "measured_mean_s": statistics.fmean(real),
        "simulated_median_s": statistics.median(simulated),
        "simulated_mean_s": statistics.fmean(simulated),
    }


def naive(cell: Cell) -> float:
    """Seconds by 8S/B + RTT."""
    return 8 * cell.payload_bytes / cell.rate_bit_s + cell.rtt_s


def slow_start(cell: Cell) -> float:
    """Seconds with the stalls of slow start (Kurose and Ross, Computer Networking, 3.7)."""
    segments = math.ceil(cell.payload_bytes / SEGMENT_BYTES)
    wire_s = (cell.payload_bytes + segments * HEADER_BYTES) * 8 / cell.rate_bit_s
    window_s = INITIAL_WINDOW * (SEGMENT_BYTES + HEADER_BYTES) * 8 / cell.rate_bit_s
    windows = math.ceil(math.log2(wire_s / window_s + 1))
    stalls = min(windows - 1, math.floor(math.log2(1 + cell.rtt_s / window_s)) + 1)
    waits_s = float(stalls * (cell.rtt_s + window_s) - (2**stalls - 1) * window_s)
    return cell.rtt_s + wire_s + waits_s


def line(cell: dict[str, float], other: dict[str, float]) -> str:
    """One cell for people."""
    return (
        f"{cell['rate_mbit']:5g} Mbit/s {cell['rtt_ms']:3g} ms {cell['loss']:.0%} "
        f"{cell['bytes']:8} B"
        f"  median {cell['measured_median_s']:8.4f} s: {error(cell, 'median'):+6.1%}"
        f"  mean {cell['measured_mean_s']:8.4f} s: {error(cell, 'mean'):+6.1%}"
        f"  naive {other['naive'] / cell['measured_median_s'] - 1:+5.0%}"
        f"  slow start {other['slow_start'] / cell['measured_median_s'] - 1:+5.0%}"
    )


def error(cell: dict[str, float], what: str) -> float:
    """Of the simulated median or mean, relative to the measured one."""
    return cell[f"simulated_{what}_s"] / cell[f"measured_{what}_s"] - 1


def report(cells: list[dict[str, float]], others: list[dict[str, float]]) -> None:
    """The errors over cells, for each loss and each way to compute."""
    print("\nerrors over cells, |median| and |mean|: median (worst)")
    for loss in sorted({cell["loss"] for cell in cells}):
        chosen = [(c, o) for c, o in zip(cells, others, strict=True) if c["loss"] == loss]
        for what in ("simulated", "naive", "slow_start"):
            texts = []
            for kind in ("median", "mean"):
                errors = [
                    abs(
                        (c[f"simulated_{kind}_s"] if what == "simulated" else o[what])
                        / c[f"measured_{kind}_s"]
                        - 1
                    )
                    for c, o in chosen
                ]
                texts.append(f"{kind} {statistics.median(errors):6.1%} ({max(errors):6.1%})")
            print(f"loss {loss:3.0%}  {what:10s}  {'  '.join(texts)}  over {len(chosen)} cells")
    print("\nns.py 0.4.3, 80 kB, seconds: real, by default, tuned (as measured once, not run here)")
    for rate, rtt, loss, *seconds in NS_PY:
        print(
            f"{rate:5d} Mbit/s {rtt:3d} ms {loss:3d} %  " + "  ".join(f"{s:.3f}" for s in seconds)
        )


def measure(path: Path) -> None:
    """Real transfers of the grid, a warm one after each; about 20 minutes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("congestion_control", *KEYS, *TIMES))
        for number, cell in enumerate(GRID):
            few, some, many = (7, 14, 40) if cell.loss else (3, 3, 4)
            repeats = (
                many if cell.payload_bytes < 1e5 else some if cell.payload_bytes < 1e6 else few
            )
            rows, late_s = transfers(cell, repeats, seed=number)
            known = (cell.congestion_control, *(getattr(cell, key) for key in KEYS))
            for row in rows:
                cold_s, warm_s = row["transfers_s"]
                writer.writerow((*known, cold_s, row["connect_s"], row["retransmits"], warm_s))
            file.flush()
            print(f"{cell}: the wire was late by {late_s * 1e3:.1f} ms at worst", flush=True)


if __name__ == "__main__":
    main()
