"""The command ``isplit-edge``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isplit_edge.adaptive import AdaptiveDevice
from isplit_edge.device import Device
from isplit_edge.pixels import frames, images

TLS = {
    "ca": "whose signature the server's certificate has; without: nothing is encrypted",
    "cert": "this device's certificate, where the server asks for one",
    "key": "its private key",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit status."""
    parser = argparse.ArgumentParser(prog="isplit-edge")
    command = parser.add_subparsers(dest="command", required=True)
    run = command.add_parser("run", help="answer the images of a folder")
    run.add_argument("export", help="folder that `isplit export` wrote; of a set: --adapt")
    run.add_argument(
        "--server", nargs="+", help="HOST:PORT of `isplit serve`; without: all is computed here"
    )
    source = run.add_mutually_exclusive_group(required=True)
    source.add_argument("--images", type=Path, help="folder, looked through in order")
    source.add_argument("--camera", help="its number, or a file or address; needs OpenCV")
    run.add_argument("--deadline", type=float, default=1.0, help="seconds of a frame")
    run.add_argument("--no-fallback", action="store_true", help="never compute the whole net here")
    run.add_argument("--adapt", action="store_true", help="choose a design for each frame")
    run.add_argument("--min-accuracy", type=float, help="0..1, asked of a design; with --adapt")
    run.add_argument("--threads", type=int, default=1)
    run.add_argument("--log", type=Path, help="CSV file with a line for each frame")
    for name, what in TLS.items():
        run.add_argument(f"--tls-{name}", type=Path, help=f"PEM file: {what}")
    given = parser.parse_args(arguments)
    if given.min_accuracy is not None and not given.adapt:
        parser.error("--min-accuracy is asked of designs that --adapt chooses among")
    tls = {name: path for name in TLS if (path := getattr(given, f"tls_{name}"))}
    if not given.server and (tls or given.no_fallback):
        parser.error("--no-fallback and --tls-* are of a --server")
    how = {"deadline_s": given.deadline, "fallback": not given.no_fallback}
    kind = AdaptiveDevice if given.adapt else Device
    how |= {"min_accuracy": given.min_accuracy} if given.adapt else {}
    how |= {"threads": given.threads, "log": given.log, "tls": tls}
    try:
        with kind(given.export, given.server, **how) as device:
            if given.camera is not None:
                named = ((f"frame {n}", frame) for n, frame in enumerate(frames(given.camera)))
            else:
                named = images(given.images, device.export)
            return max(_answer(device, name, pixels) for name, pixels in named)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _answer(device: Device, name: str, pixels: Any) -> int:
    """Print a line for an image; 1 where it had no answer in time."""
    try:
        found = device.answer(pixels)
    except TimeoutError as error:
        print(f"{name}\t-\t{error}", flush=True)
        return 1
    about = f"{1000 * found.latency_s:.1f} ms\t{found.payload_bytes} bytes\t{found.where}"
    print(f"{name}\t{found.name}\t{about}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
