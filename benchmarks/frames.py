"""How many frames a second the simulation gets through, beside bare SimPy events on the same core.

    python benchmarks/frames.py --json outputs/bench/frames.json

Both take turns, so that a busy machine slows both; a ratio is taken within its turn, and the
medians are printed. Seconds are the process's own. Then 200 designs of 300 frames each, one after
the other: payloads from 1 to 200 kB over every preset that needs no further figure.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Generator
from pathlib import Path

import simpy

from isplit.network import Arrival, Channel, Setting, Work, load_channel, simulate
from isplit.presets import preset_names

FRAMES, EVENTS, DESIGNS, DESIGN_FRAMES = 100_000, 300_000, 200, 300


def main() -> None:
    """Print frames and events a second, and the time of 200 designs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    turns = [(FRAMES / seconds(frames), EVENTS / seconds(events)) for _ in range(asked.repeats)]
    result = {
        "frames_per_s": statistics.median(turn[0] for turn in turns),
        "simpy_events_per_s": statistics.median(turn[1] for turn in turns),
        "events_per_frame": statistics.median(turn[1] / turn[0] for turn in turns),
        "seconds_of_200_designs": seconds(designs),
    }
    print(json.dumps(result, indent=1))
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def seconds(work: Callable[[], object]) -> float:
    """What the work takes of the processor."""
    began_s = time.process_time()
    work()
    return time.process_time() - began_s


def frames() -> None:
    """A camera over a LAN: each transfer is one that was made before."""
    lan = Channel(up_bit_s=1e8, down_bit_s=1e8, round_trip_s=0.01)
    work = Work(device_s=0.005, encode_s=0.001, payload_bytes=10_000, server_s=0.002)
    simulate(Setting(work, Arrival(rate_hz=30), lan), FRAMES)


def events() -> None:
    """As many events as SimPy gives, with nothing in them."""
    environment = simpy.Environment()

    def ticking() -> Generator[simpy.Event, None, None]:
        for _ in range(EVENTS):
            yield environment.timeout(1)

    environment.process(ticking())
    environment.run()


def designs() -> None:
    """What a search over designs asks for."""
    channels = []
    for name in preset_names("channel"):
        try:
            channels.append(load_channel(name))
        except ValueError:
            continue
    for number in range(DESIGNS):
        work = Work(device_s=0.01, payload_bytes=1000 * (1 + number), server_s=0.002)
        channel = channels[number % len(channels)]
        simulate(Setting(work, Arrival(rate_hz=10), channel, device_queue=2), DESIGN_FRAMES)


if __name__ == "__main__":
    main()
