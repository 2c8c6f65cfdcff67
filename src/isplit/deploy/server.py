"""Tails behind the Open Inference Protocol, over gRPC and HTTP."""

import asyncio
import signal
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from aiohttp import web
from tritonclient.grpc import service_pb2 as messages
from tritonclient.grpc import service_pb2_grpc as stubs

from isplit.deploy.calls import Tails, answer
from isplit.deploy.manifest import TIMING
from isplit.deploy.rest import BESIDE_BYTES, PATHS, STATUS, app

GRACE_S = 10  # for what is under way when the server is told to end
MOST_REQUESTS = 256  # at once


@dataclass(frozen=True)
class Certificates:
    """Files of PEM for TLS.

    Attributes:
        cert: the server's, and those up to its authority's.
        key: of ``cert``.
        clients: certificates of the authorities of which a client must have one; ``None``: any
            client may ask.
    """

    cert: Path
    key: Path
    clients: Path | None

    def of_grpc(self) -> grpc.ServerCredentials:
        """What a server of gRPC takes."""
        pairs = [(self.key.read_bytes(), self.cert.read_bytes())]
        clients = self.clients and self.clients.read_bytes()
        return grpc.ssl_server_credentials(pairs, clients, require_client_auth=bool(clients))

    def of_http(self) -> ssl.SSLContext:
        """What a server of HTTP takes."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=self.clients)
        context.load_cert_chain(self.cert, self.key)
        if self.clients:
            context.verify_mode = ssl.CERT_REQUIRED
        return context


async def serve(
    tails: Tails,
    host: str,
    port: int,
    rest_port: int,
    say: Callable[[str], None],
    tls: Certificates | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT; what is under way then is answered first.

    Args:
        tails: what answers, by the name of the model.
        host: address to listen at.
        port: of gRPC; 0 takes a free one.
        rest_port: of HTTP; 0 takes a free one.
        say: is told where requests can come, once they can.
        tls: ``None``: nothing is encrypted.

    Raises:
        OSError, RuntimeError: a port is taken, or a certificate cannot be used.
    """
    server, runner = _grpc_server(tails), web.AppRunner(app(tails), access_log=None)
    if tls:
        port = server.add_secure_port(f"{host}:{port}", tls.of_grpc())
    else:
        port = server.add_insecure_port(f"{host}:{port}")
    await runner.setup()
    context = tls.of_http() if tls else None
    await web.TCPSite(runner, host, rest_port, ssl_context=context).start()
    await server.start()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    rest_port = runner.addresses[0][1]
    say(f"{', '.join(tails)}: gRPC at {host}:{port}, HTTP at {host}:{rest_port}")
    await stop.wait()
    for tail in tails.values():
        tail.ready = False
    await server.stop(GRACE_S)
    await runner.cleanup()


def _grpc_server(tails: Tails) -> grpc.aio.Server:
    most = max(tail.export.largest_bytes for tail in tails.values()) + BESIDE_BYTES
    options = [("grpc.max_receive_message_length", most), ("grpc.so_reuseport", 0)]
    server = grpc.aio.server(options=options, maximum_concurrent_rpcs=MOST_REQUESTS)
    servicer = stubs.GRPCInferenceServiceServicer()
    for call in PATHS.values():
        setattr(servicer, call, partial(_over_grpc, tails, call))
    stubs.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    return server


async def _over_grpc(tails: Tails, call: str, request: Any, context: Any) -> Any:
    begun_s = time.monotonic()
    try:
        found = getattr(messages, f"{call}Response")(**await answer(tails, call, request))
        spent_ms = 1000 * (time.monotonic() - begun_s)
        context.set_trailing_metadata(((TIMING, f"total;dur={spent_ms:.3f}"),))
        return found
    except tuple(STATUS) as error:
        return await context.abort(STATUS[type(error)][0], str(error))
