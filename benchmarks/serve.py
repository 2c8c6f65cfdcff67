"""The server of an export: are its answers evaluate's, what does it cost, what does it survive?

python benchmarks/serve.py answers RUN EXPORT [--codecs ans rle]    all test images over the wire
python benchmarks/serve.py overhead                                 against a bare gRPC echo
python benchmarks/serve.py balanced EXPORT                          two servers, one killed
python benchmarks/serve.py abuse EXPORT [--requests 100000]         on loopback, its own server

`answers` compares labels with those of torch behind the same codec, and bytes with the codec's.
`overhead` sends 80 kB and 800 kB in turn to the echo and to a tail that neither decodes nor
computes, over loopback. `balanced` sends from 64 clients: those of isplit-edge that ask both
servers in turn, and the same with one address, HAProxy's (apt install haproxy), before both.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from argparse import Namespace
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput, service_pb2
from wire import first_line

ROOT = Path(__file__).parents[1]
sys.path.append(os.fspath(ROOT / "edge" / "src"))
CALL = "/inference.GRPCInferenceService/ModelInfer"
ALLOWED = ("INVALID_ARGUMENT", "RESOURCE_EXHAUSTED", "NOT_FOUND", "INTERNAL", "UNIMPLEMENTED")


class Server:
    """`isplit serve` in a process of its own, its errors in a file."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        words = [sys.executable, "-m", "isplit", "serve", os.fspath(folder), "--port", str(port)]
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        words += ["--rest-port", "0"]
        self.process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=self.errors, text=True
        )
        line = first_line(self.process)
        self.name, _, ports = line.partition(": ")
        self.port, self.rest = (int(part.split(":")[1]) for part in ports.split(", "))

    def rss(self) -> float:
        """Resident memory, MiB."""
        fields = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    def kill(self) -> str:
        """What it wrote to standard error."""
        self.process.kill()
        self.process.wait()
        self.errors.seek(0)
        return self.errors.read()


def answers(given: Namespace) -> None:
    """Labels and bytes of every test image over the wire, codec by codec."""
    import torch
    from isplit_edge import Device
    from omegaconf import OmegaConf

    from isplit import config
    from isplit.artifact import load_split_model
    from isplit.deploy.export import _sender
    from isplit.deploy.manifest import MANIFEST, PROFILE
    from isplit.files import sha256
    from isplit.studies.run_folder import job_folder, read_config

    torch.set_num_threads(1)
    split = load_split_model(given.run)
    data = config.build_data(OmegaConf.create(read_config(job_folder(given.run))))
    mean, std = (
        torch.tensor(c).view(3, 1, 1) for c in (data.preparation.mean, data.preparation.std)
    )
    for name in given.codecs:
        bits = {} if name == "plain" else {"bits": 4}
        codec = _sender(split, {"name": name} | bits, data)
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "export"
            shutil.copytree(given.export, place)
            assert codec.profile is not None
            codec.profile.save(place / PROFILE)
            about = json.loads((place / MANIFEST).read_text())
            about |= {"codec": codec.get_config(), "profile": codec.profile.digest.hex()}
            about["files"][PROFILE] = sha256(place / PROFILE)
            (place / MANIFEST).write_text(json.dumps(about))
            server, log = Server(place), Path(folder) / "log.csv"
            equal = same_bytes = total = wire = payload_bytes = 0
            where = f"127.0.0.1:{server.port}"
            with Device(place, where, deadline_s=60, fallback=False, log=log) as device:
                for x, _ in data.loader("test", 64):
                    pixels = ((x * std + mean) * 255).round().byte().permute(0, 2, 3, 1).numpy()
                    with torch.no_grad():
                        payloads = codec.encode(split.encode(x).numpy())
                        labels = split.decode(torch.from_numpy(codec.decode(payloads))).argmax(1)
                    for image, payload, label in zip(
                        pixels, payloads, labels.tolist(), strict=True
                    ):
                        found = device.answer(image)
                        total += 1
                        equal += found.label == label
                        same_bytes += found.payload_bytes == len(payload)
                        payload_bytes += found.payload_bytes
            rows = log.read_text().splitlines()[1:]
            wire = sum(int(row.split(",")[8]) for row in rows)
            server.kill()
        beside = (wire - payload_bytes) / total
        print(
            f"{given.run.name} {name}: {equal} of {total} labels equal, "
            f"{same_bytes} payloads as long, "
            f"{payload_bytes / total:.1f} bytes each and {beside:.1f} of the message",
            flush=True,
        )


def overhead(given: Namespace) -> None:
    """Each server in a process of its own; the client in this one asks them in turn."""
    sizes = {"80 kB": 80_000, "800 kB": 800_000}
    here = [sys.executable, __file__]
    servers = [
        subprocess.Popen([*here, kind], stdout=subprocess.PIPE, text=True)
        for kind in ("_echo", "_tail")
    ]
    ports = [int(first_line(server)) for server in servers]
    calls = [grpc.insecure_channel(f"127.0.0.1:{port}").unary_unary(CALL) for port in ports]
    for label, size in sizes.items():
        request = service_pb2.ModelInferRequest(model_name="bare", raw_input_contents=[bytes(size)])
        request.inputs.add(name="payload", datatype="UINT8", shape=[size])
        message = request.SerializeToString()
        times: tuple[list[float], list[float]] = ([], [])
        for turn in range(given.rounds + 20):
            for call, taken in zip(calls, times, strict=True):
                start = time.perf_counter()
                call(message)
                if turn >= 20:
                    taken.append(1000 * (time.perf_counter() - start))
        echo, ours = map(statistics.median, times)
        print(
            f"{label}: echo {echo:.2f} ms, isplit {ours:.2f} ms: {ours / echo:.2f} times",
            flush=True,
        )
    for server in servers:
        server.kill()


def _echo(given: Namespace) -> None:
    async def main() -> None:
        async def echo(request: bytes, context: Any) -> bytes:
            return request[:800]

        server = grpc.aio.server(options=[("grpc.max_receive_message_length", 2**24)])
        handler = grpc.unary_unary_rpc_method_handler(echo)
        service = grpc.method_handlers_generic_handler(
            "inference.GRPCInferenceService", {"ModelInfer": handler}
        )
        server.add_generic_rpc_handlers((service,))
        print(server.add_insecure_port("127.0.0.1:0"), flush=True)
        await server.start()
        await server.wait_for_termination()

    asyncio.run(main())


def _tail(given: Namespace) -> None:
    from types import SimpleNamespace

    from isplit.deploy import server
    from isplit.deploy.tail import Tail

    class Bare(Tail):
        """Queue, threads and batches as they are; nothing is decoded or computed."""

        def __init__(self) -> None:
            about: Any = SimpleNamespace(name="bare", profile=None, class_names=[])
            about.largest_bytes = 2**20
            self.export = about
            self.ready, self.max_batch, self.queue = True, 16, 64
            self._waiting, self._computing = 0, asyncio.Lock()
            self._codes, self._logits, self._worker = [], None, futures.ThreadPoolExecutor(1)

        def _decoded(self, payload: bytes) -> Any:
            return np.zeros((1, 1), np.float32)

        def _computed(self, codes: list[Any]) -> Any:
            return np.zeros((len(codes), 200), np.float32)

    def say(line: str) -> None:
        print(line.split("gRPC at ")[1].split(",")[0].split(":")[1], flush=True)

    asyncio.run(server.serve({"bare": Bare()}, "127.0.0.1", 0, 0, say))


HAPROXY = """
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  retry-on all-retryable-errors
  option redispatch
frontend here
  bind 127.0.0.1:{port} proto h2
  default_backend tails
backend tails
  balance roundrobin
  server a 127.0.0.1:{a} proto h2 check inter 200ms
  server b 127.0.0.1:{b} proto h2 check inter 200ms
"""


def balanced(given: Namespace) -> None:
    """The answers of two servers to many clients, while one is killed after a third of them."""
    from isplit.deploy.manifest import HEAD, TAIL, codec_of, read_export, run, session

    export = read_export(given.export, [HEAD, TAIL])
    codec, side = codec_of(export, given.export), export.preprocessing["image_size"]
    pixels = np.random.default_rng(0).integers(0, 256, (16, side, side, 3), dtype=np.uint8)
    payloads = codec.encode(run(session(given.export / HEAD), pixels))
    expected = run(session(given.export / TAIL), codec.decode(payloads)).argmax(1)
    for kind in ("both in turn", *(["HAProxy"] if shutil.which("haproxy") else [])):
        servers = [Server(given.export), Server(given.export)]
        addresses = [f"127.0.0.1:{server.port}" for server in servers]
        with tempfile.NamedTemporaryFile("w", suffix=".cfg") as file:
            proxy = None
            if kind == "HAProxy":
                with socket.create_server(("127.0.0.1", 0)) as free:
                    port = free.getsockname()[1]
                file.write(HAPROXY.format(port=port, a=servers[0].port, b=servers[1].port))
                file.flush()
                proxy = subprocess.Popen(["haproxy", "-db", "-f", file.name])
                addresses = [f"127.0.0.1:{port}"]
            done, wrong, slowest = _from_many(export, addresses, payloads, expected, given, servers)
            print(
                f"{kind}: {done} right answers of {given.clients * given.each}, {wrong} wrong; "
                f"the slowest after {slowest:.2f} s",
                flush=True,
            )
            if proxy:
                proxy.kill()
                proxy.wait()
        for server in servers:
            server.kill()


def _from_many(
    export: Any,
    addresses: list[str],
    payloads: list[bytes],
    expected: Any,
    given: Any,
    servers: Any,
) -> tuple[int, int, float]:
    from isplit_edge.server import Server as Client

    count = [0.0, 0.0, 0.0]  # right, wrong, the longest in seconds
    lock = threading.Lock()

    def one(number: int) -> None:
        client = Client(addresses, export, {})
        for turn in range(given.each):
            which, start = (number + turn) % len(payloads), time.monotonic()
            logits, *_ = client.ask(payloads[which], start + 60)
            with lock:
                count[int(logits.argmax() != expected[which])] += 1
                count[2] = max(count[2], time.monotonic() - start)
                if sum(count[:2]) == given.clients * given.each // 3:
                    servers[0].process.kill()
        client.close()

    with futures.ThreadPoolExecutor(given.clients) as pool:
        list(pool.map(one, range(given.clients)))
    return int(count[0]), int(count[1]), count[2]


def abuse(given: Namespace) -> None:
    """Malformed requests, connections of garbage, silence and haste, and a kill."""
    from isplit.deploy.manifest import HEAD, TAIL, codec_of, read_export, run, session

    export, rng = read_export(given.export, [HEAD, TAIL]), random.Random(0)
    codec, side = codec_of(export, given.export), export.preprocessing["image_size"]
    pixels = np.random.default_rng(0).integers(0, 256, (16, side, side, 3), dtype=np.uint8)
    payloads = codec.encode(run(session(given.export / HEAD), pixels))
    expected = run(session(given.export / TAIL), codec.decode(payloads)).argmax(1)
    server = Server(given.export)
    client = InferenceServerClient(f"127.0.0.1:{server.port}")

    def infer(payload: bytes, to: Any = client) -> int:
        one = InferInput("payload", [len(payload)], "UINT8")
        one.set_data_from_numpy(np.frombuffer(payload, np.uint8))
        return int(to.infer(export.name, [one]).as_numpy("logits")[0].argmax())

    for payload in payloads:
        infer(payload)
    before = server.rss()
    counts: dict[str, int] = {}
    call = grpc.insecure_channel(f"127.0.0.1:{server.port}").unary_unary(CALL)
    start = time.monotonic()
    for _ in range(given.requests):
        outcome = "accepted"
        try:
            call(_malformed(rng, export.name, rng.choice(payloads)), timeout=30)
        except grpc.RpcError as error:
            outcome = error.code().name
        counts[outcome] = counts.get(outcome, 0) + 1
    print(
        f"{given.requests} malformed in {time.monotonic() - start:.0f} s: {counts}; "
        f"memory {server.rss() - before:+.1f} MB",
        flush=True,
    )
    for number in range(given.garbage):
        with socket.create_connection(
            ("127.0.0.1", (server.port, server.rest)[number % 2])
        ) as peer:
            peer.sendall(rng.randbytes(rng.randrange(1, 2000)))
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(given.silent)]
    start = time.monotonic()
    assert infer(payloads[0]) == expected[0]
    print(
        f"{given.garbage} garbage and {given.silent} silent connections: an answer in "
        f"{1000 * (time.monotonic() - start):.0f} ms; memory {server.rss() - before:+.1f} MB"
    )
    for peer in silent:
        peer.close()
    for _ in range(40):
        channel = grpc.insecure_channel(f"127.0.0.1:{server.port}")
        channel.unary_unary(CALL).future(_good(export.name, payloads[0]))
        channel.close()
    wrong, busy, right = _crowd(server, payloads, expected, infer, given.clients)
    print(
        f"40 gone mid-request; {given.clients} clients: {right} right, {wrong} wrong, "
        f"{busy} told to come back; memory {server.rss() - before:+.1f} MB",
        flush=True,
    )
    errors = server.kill()
    print(
        f"the server wrote {len(errors.splitlines())} lines, {errors.count('Traceback')} tracebacks"
    )
    start, again = time.monotonic(), Server(given.export, server.port)
    up = time.monotonic()
    while True:
        try:
            assert infer(payloads[1]) == expected[1]
            break
        except Exception:
            time.sleep(0.02)
    print(
        f"kill -9: started again in {up - start:.1f} s, "
        f"the same client goes on {time.monotonic() - up:.2f} s later"
    )
    again.kill()


def _crowd(
    server: Server, payloads: list[bytes], expected: Any, infer: Any, clients: int, each: int = 50
) -> list[int]:
    counts = [0, 0, 0]

    def one(number: int) -> None:
        client = InferenceServerClient(f"127.0.0.1:{server.port}")
        for turn in range(each):
            which = (number + turn) % len(payloads)
            try:
                place = 2 if infer(payloads[which], client) == expected[which] else 0
            except Exception as error:
                if "RESOURCE_EXHAUSTED" not in str(error):
                    raise
                place = 1
            counts[place] += 1

    with futures.ThreadPoolExecutor(clients) as pool:
        list(pool.map(one, range(clients)))
    return counts


def _good(name: str, payload: bytes, **fields: Any) -> bytes:
    one = {"name": "payload", "datatype": "UINT8", "shape": [len(payload)]}
    request = {"model_name": name, "inputs": [one], "raw_input_contents": [payload]}
    return bytes(service_pb2.ModelInferRequest(**(request | fields)).SerializeToString())


def _malformed(rng: random.Random, name: str, payload: bytes) -> bytes:
    """One of: random bytes, a mutated message or payload, a cut one, a field that lies."""
    kind = rng.randrange(6)
    if kind == 0:
        return rng.randbytes(rng.randrange(1, 400))
    if kind == 1:
        bad = bytearray(payload)
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        return _good(name, bytes(bad))
    if kind == 2:
        return _good(name, payload[: rng.randrange(len(payload))])
    if kind == 3:
        return _good(name, payload)[: rng.randrange(1, len(payload))]
    if kind == 4:
        return _good(name, rng.randbytes(rng.randrange(0, 4000)))
    lies: tuple[dict[str, Any], ...] = (
        {"model_name": "x" * rng.randrange(5000)},
        {"model_version": "-1"},
        {"inputs": []},
        {"inputs": [{"name": "payload", "datatype": "UINT8", "shape": [2**62, 2**62]}]},
        {"inputs": [{"name": "payload", "datatype": "BYTES", "shape": [-1]}]},
        {"outputs": [{"name": "../x"}]},
        {"raw_input_contents": [payload] * 9},
        {"raw_input_contents": []},
        {"parameters": {"profile": {"string_param": "0" * 64}}},
        {"parameters": {"profile": {"int64_param": -1}}},
    )
    return _good(name, payload, **rng.choice(lies))


def main() -> None:
    """One of the four."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("answers")
    one.add_argument("run", type=Path)
    one.add_argument("export", type=Path)
    one.add_argument("--codecs", nargs="+", default=["ans", "rle", "quantize", "plain"])
    one = commands.add_parser("overhead")
    one.add_argument("--rounds", type=int, default=200)
    one = commands.add_parser("balanced")
    one.add_argument("export", type=Path)
    one.add_argument("--clients", type=int, default=64)
    one.add_argument("--each", type=int, default=50)
    one = commands.add_parser("abuse")
    one.add_argument("export", type=Path)
    usual = {"requests": 100_000, "garbage": 2000, "silent": 400, "clients": 64}
    for name, number in usual.items():
        one.add_argument(f"--{name}", type=int, default=number)
    for hidden in ("_echo", "_tail"):
        commands.add_parser(hidden)
    given = parser.parse_args()
    globals()[given.command](given)


if __name__ == "__main__":
    main()
