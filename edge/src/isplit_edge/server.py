"""The server as a device sees it: asked by gRPC, until an answer comes or the time is over."""

import json
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import numpy as np

from isplit.deploy.manifest import TIMING, Export, run
from isplit_edge.log import AT_SERVER, WAY_UP
from isplit_edge.message import infer_request, raw_output

RETRY_S = 0.02  # before the second try, and twice as long before each further one
BUSY = grpc.StatusCode.RESOURCE_EXHAUSTED
AGAIN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, BUSY)  # CANCELLED: it ends
LATE = grpc.StatusCode.DEADLINE_EXCEEDED
CALL = "/inference.GRPCInferenceService/ModelInfer"
PREFIX_BYTES = 5  # of gRPC before a message
BACKOFF_MS = {"initial": 100, "min": 100, "max": 500}  # between tries to connect
IN_TURN = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})  # all addresses of a name too
TLS_FILES = {"ca": "root_certificates", "cert": "certificate_chain", "key": "private_key"}


class RefusedError(ValueError):
    """The server will not take it, now or later."""


class GoneError(RuntimeError):
    """No answer in time: why, and where the frame was lost as far as can be seen from here."""


class Server:
    """Connections that are made when they are needed, and made again.

    Args:
        addresses: ``host:port`` of servers that answer alike; they are asked in turn, and those
            that are gone are passed over.
        tls: files by ``ca`` (whose signature a server must have), ``cert`` and ``key`` (the
            device's own, where the server asks for them); empty: nothing is encrypted.

    Raises:
        ValueError: an address is none or has no number, or a file of ``tls`` is missing.
        OSError: one cannot be read.
    """

    def __init__(
        self, addresses: Sequence[str], export: Export, tls: Mapping[str, Path | str]
    ) -> None:
        self.export = export
        options: list[tuple[str, Any]] = [("grpc.service_config", IN_TURN)]
        options += [(f"grpc.{k}_reconnect_backoff_ms", ms) for k, ms in BACKOFF_MS.items()]
        for address in addresses:
            host, _, port = address.rpartition(":")
            number = int(port) if port.isdecimal() else 0
            if not host or not 0 < number < 65536 or host.startswith("http"):
                raise ValueError(f"server={address!r} is no HOST:PORT")
        target = addresses[0]
        if len(addresses) > 1:  # one target of gRPC takes numbers, not names
            target = "ipv4:" + ",".join(map(_numbers, addresses))
            options += [("grpc.default_authority", addresses[0])]  # whose certificate is expected
        if tls:
            if "ca" not in tls or ("cert" in tls) != ("key" in tls):
                raise ValueError("tls needs ca, and cert and key together or not at all")
            files = {TLS_FILES[name]: Path(path).read_bytes() for name, path in tls.items()}
            secret = grpc.ssl_channel_credentials(**files)
            self._channel = grpc.secure_channel(target, secret, options)
        else:
            self._channel = grpc.insecure_channel(target, options)
        self._infer = self._channel.unary_unary(CALL)

    def ask(self, payload: bytes, until_s: float) -> tuple[Any, int, float]:
        """Logits (classes,), the bytes of the message that was sent, and the server's seconds.

        The seconds are 0 where the server does not say them (that of Triton).

        Raises:
            RefusedError: another try would not help.
            GoneError: no answer until ``until_s`` of the monotonic clock.
        """
        export, pause_s = self.export, RETRY_S
        request = infer_request(export.name, export.digest, payload)
        while True:
            left_s = max(until_s - time.monotonic(), 0.001)
            try:
                found, call = self._infer.with_call(request, timeout=left_s, wait_for_ready=True)
                timing = dict(call.trailing_metadata()).get(TIMING, "=0").partition("=")[2]
                logits = np.frombuffer(raw_output(found), "<f4")
                return logits, len(request) + PREFIX_BYTES, float(timing) / 1000
            except grpc.RpcError as error:
                code, why = error.code(), f"{error.code().name}: {error.details()}"
            if code not in (*AGAIN, LATE):
                raise RefusedError(f"the server refuses: {why}")
            if code is LATE or time.monotonic() + pause_s >= until_s:
                raise GoneError(why, AT_SERVER if code is BUSY else WAY_UP)
            time.sleep(pause_s)
            pause_s *= 2

    def close(self) -> None:
        """End the connection."""
        self._channel.close()


class Half(NamedTuple):
    """What a device computes of a design, and the connection to the server that has the rest."""

    server: Server
    head: Any
    codec: Any

    def encoded(self, pixels: Any) -> Any:
        """The payload of uint8 (1, H, W, 3)."""
        return self.codec.encode(run(self.head, pixels))[0]


def _numbers(address: str) -> str:
    """The IPv4 address and port behind a name and port."""
    host, _, port = address.rpartition(":")
    try:
        return f"{socket.gethostbyname(host)}:{port}"
    except OSError as error:
        raise ValueError(f"server={address!r} is no HOST:PORT with IPv4: {error}") from error
