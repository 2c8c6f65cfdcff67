"""The commands ``isplit export`` and ``isplit serve``."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

NUMBERS = {  # as is usual, the least, the most; port 0: any that is free
    "port": (8001, 0, 65535),
    "rest-port": (8000, 0, 65535),
    "max-batch": (16, 1, 10_000),
    "queue": (64, 1, 1_000_000),
    "threads": (1, 1, 1024),
}
TLS = {
    "cert": "the server's certificate; without: nothing is encrypted",
    "key": "its private key",
    "clients": "authorities that sign certificates of clients; without: any client may ask",
}


def main(arguments: Sequence[str]) -> int:
    """Runs the command line; the exit status."""
    parser = argparse.ArgumentParser(prog="isplit")
    commands = parser.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help="a finished run as files for device and server")
    several = "several: a set of designs, among which a device chooses"
    export.add_argument("run", type=Path, nargs="+", help=f"folder of split_model.json; {several}")
    export.add_argument("--out", type=Path, help="folder; without: export/ inside the run's")
    export.add_argument("--codec", help="its name; without: the run's own, or ans of 4 bits")
    export.add_argument("--bits", type=_whole(1, 8), help="of a level of the codec")
    export.add_argument(
        "--images", type=_whole(1, 10**6), default=500, help="of the test set, to compare on"
    )
    export.add_argument("--int8", action="store_true", help="nets in whole numbers of 8 bits")
    export.add_argument("--kserve", type=Path, help="folder: container and InferenceService")
    export.add_argument("--triton", type=Path, help="folder: model repository")
    serve = commands.add_parser("serve", help="the server's half, over gRPC and HTTP (rest-port)")
    serve.add_argument("exports", nargs="+", help="folders of exports, or of sets of them")
    serve.add_argument("--host", default="127.0.0.1", help="0.0.0.0: reachable from elsewhere")
    for name, (usual, *ends) in NUMBERS.items():
        serve.add_argument(f"--{name}", type=_whole(*ends), default=usual, help=f"{usual}")
    for name, what in TLS.items():
        serve.add_argument(f"--tls-{name}", type=Path, help=f"PEM file: {what}")
    given = parser.parse_args(arguments)
    try:
        {"export": _export, "serve": _serve}[given.command](given)
    except (ImportError, ValueError, OSError, RuntimeError) as error:
        extra = {"export": "onnx", "serve": "serve"}[given.command]
        hint = f": pip install 'isplit[{extra}]'" * isinstance(error, ImportError)
        print(f"error: {error}{hint}", file=sys.stderr)
        return 1
    return 0


def _whole(low: int, high: int) -> Callable[[str], int]:
    """Reads a whole number between two."""

    def whole(text: str) -> int:
        if not (text.isdecimal() and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"{text} is no whole number from {low} to {high}")
        return int(text)

    return whole


def _export(given: argparse.Namespace) -> None:
    from isplit.deploy.cluster import write_kserve, write_triton
    from isplit.deploy.export import export, name_of

    chosen = {k: v for k, v in {"name": given.codec, "bits": given.bits}.items() if v is not None}
    several = len(given.run) > 1
    if several and (not given.out or given.kserve or given.triton):
        raise ValueError("several runs need --out, and take neither --kserve nor --triton")
    names: list[str] = []
    for run in given.run:
        out, name = given.out or run / "export", None
        if several:  # "+" is in no name that a run gives
            names.append(name_of(run))
            again = names.count(names[-1])
            name = names[-1] + f"+{again}" * (again > 1)
            out = given.out / name
        made = export(run, out, chosen or None, given.images, int8=given.int8, name=name)
        for write, place in ((write_kserve, given.kserve), (write_triton, given.triton)):
            if place:
                write(out, place)
        print(made.name, *(f"{key}={value}" for key, value in made.checked.items()), sep="\n  ")


def _serve(given: argparse.Namespace) -> None:
    from isplit.deploy.manifest import exports_in
    from isplit.deploy.server import Certificates, serve
    from isplit.deploy.tail import Tail

    limits = given.max_batch, given.queue, given.threads
    tails = [Tail(one, *limits) for folder in given.exports for one in exports_in(folder)]
    names = [tail.export.name for tail in tails]
    if len(set(names)) < len(names):
        raise ValueError(f"two exports have one name: {', '.join(names)}")
    files = given.tls_cert, given.tls_key, given.tls_clients
    if any(files) and not all(files[:2]):
        raise ValueError("--tls-cert and --tls-key are needed together")
    tls = Certificates(*files) if any(files) else None
    say = partial(print, flush=True)
    ports = given.port, given.rest_port
    asyncio.run(serve(dict(zip(names, tails, strict=True)), given.host, *ports, say, tls))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
