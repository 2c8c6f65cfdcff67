"""``python -m isplit.network``: measure a link, or be the other end of such a measurement."""

import argparse
import sys
import threading
from pathlib import Path

from isplit.network.measure import measure
from isplit.network.peer import PORT, peer
from isplit.presets import save_preset


def main(words: list[str] | None = None) -> int:
    """Run one command; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m isplit.network", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    to = commands.add_parser("measure", help="write a channel file of the link to a peer")
    to.add_argument("host", help="where `python -m isplit.network serve` runs")
    to.add_argument("--out", type=Path, default=Path("my_channel.yaml"), help="file to write")
    to.add_argument("--seconds", type=float, default=5.0, help="of sending, each way (at most 60)")
    to.add_argument("--packets", type=int, default=2000, help="of UDP, for round trip and loss")
    by = commands.add_parser("serve", help="be the peer, until Ctrl-C; anybody may use it")
    by.add_argument("--host", default="0.0.0.0", help="address to listen at")
    for command in (to, by):
        command.add_argument("--port", type=int, default=PORT)
    asked = parser.parse_args(words)
    if not 0 <= asked.port <= 65535:  # a socket would take the rest of it by 65536
        parser.error(f"--port={asked.port} is no port: 0 to 65535")
    try:
        if asked.command == "serve":
            _serve(asked.host, asked.port)
        else:
            channel = measure(asked.host, asked.port, asked.seconds, asked.packets)
            save_preset(channel, asked.out)
            print(f"written: {asked.out}: {channel.source}")
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _serve(host: str, port: int) -> None:
    with peer(host, port) as bound:
        print(f"listening at {host} port {bound}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
