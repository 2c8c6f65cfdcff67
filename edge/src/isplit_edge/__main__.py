"""The command ``isplit-edge``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from isplit_edge.device import Device
from isplit_edge.pixels import read_image


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit status."""
    parser = argparse.ArgumentParser(prog="isplit-edge")
    command = parser.add_subparsers(dest="command", required=True)
    run = command.add_parser("run", help="answer the images of a folder")
    run.add_argument("export", help="folder that `isplit export` wrote")
    run.add_argument("--server", help="HOST:PORT of `isplit serve`; without: all is computed here")
    run.add_argument("--images", required=True, type=Path, help="folder, looked through in order")
    run.add_argument("--deadline", type=float, default=1.0, help="seconds of a frame")
    run.add_argument("--no-fallback", action="store_true", help="never compute the whole net here")
    run.add_argument("--threads", type=int, default=1)
    run.add_argument("--log", type=Path, help="CSV file with a line for each frame")
    given = parser.parse_args(arguments)
    how = {"deadline_s": given.deadline, "fallback": not given.no_fallback}
    how |= {"threads": given.threads, "log": given.log}
    try:
        paths = sorted(path for path in given.images.rglob("*") if path.is_file())
        if not paths:
            raise ValueError(f"--images {given.images} holds no files")
        with Device(given.export, given.server, **how) as device:
            return max(_answer(device, path) for path in paths)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _answer(device: Device, path: Path) -> int:
    """Print a line for an image; 1 where it had no answer in time."""
    try:
        found = device.answer(read_image(path, device.export))
    except TimeoutError as error:
        print(f"{path}\t-\t{error}", flush=True)
        return 1
    about = f"{1000 * found.latency_s:.1f} ms\t{found.payload_bytes} bytes\t{found.where}"
    print(f"{path}\t{found.name}\t{about}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
