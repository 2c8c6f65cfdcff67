"""Tails behind the Open Inference Protocol, over gRPC and HTTP."""

import asyncio
import resource
import signal
import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc
from aiohttp import web
from tritonclient.grpc import service_pb2 as messages

from isplit.codec import PayloadError
from isplit.deploy.calls import Tails, answer
from isplit.deploy.manifest import TIMING
from isplit.deploy.rest import BESIDE_BYTES, BODY_S, PATHS, STATUS, app, close_silent

GRACE_S = 10  # for what is under way when the server is told to end
MOST_REQUESTS = 256  # at once
SERVICE = "inference.GRPCInferenceService"


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
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # connections take descriptors
    http = app(tails)
    server = _grpc_server(tails)
    runner = web.AppRunner(http, access_log=None, shutdown_timeout=GRACE_S)
    name = f"[{host}]" if ":" in host else host  # of IPv6
    if tls:
        port = server.add_secure_port(f"{name}:{port}", tls.of_grpc())
    else:
        port = server.add_insecure_port(f"{name}:{port}")
    await runner.setup()
    context = tls.of_http() if tls else None
    await web.TCPSite(runner, host, rest_port, ssl_context=context).start()
    await server.start()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    rest_port = runner.addresses[0][1]
    say(f"{', '.join(tails)}: gRPC at {name}:{port}, HTTP at {name}:{rest_port}")
    closing = asyncio.create_task(close_silent(http, runner))
    await stop.wait()
    closing.cancel()
    for tail in tails.values():
        tail.ready = False
    await server.stop(GRACE_S)
    await runner.cleanup()


def _grpc_server(tails: Tails) -> grpc.aio.Server:
    most = max(tail.export.largest_bytes for tail in tails.values()) + BESIDE_BYTES
    options = [("grpc.max_receive_message_length", most), ("grpc.so_reuseport", 0)]
    server = grpc.aio.server(options=options, maximum_concurrent_rpcs=MOST_REQUESTS)
    handlers = {call: _handler(tails, call) for call in PATHS.values()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    return server


def _handler(tails: Tails, call: str) -> Any:
    """Of a call with one request: as a stream of requests, so that its coming has a time limit."""
    asked, found = (getattr(messages, f"{call}{kind}") for kind in ("Request", "Response"))
    return grpc.stream_unary_rpc_method_handler(
        partial(_over_grpc, tails, call), asked.FromString, found.SerializeToString
    )


async def _over_grpc(tails: Tails, call: str, requests: AsyncIterator[Any], context: Any) -> Any:
    try:
        async with asyncio.timeout(BODY_S):
            request = await anext(aiter(requests), None)
        if request is None:
            raise PayloadError("there is no request in the call")
        begun_s = time.monotonic()
        found = getattr(messages, f"{call}Response")(**await answer(tails, call, request))
        spent_ms = 1000 * (time.monotonic() - begun_s)
        context.set_trailing_metadata(((TIMING, f"total;dur={spent_ms:.3f}"),))
        return found
    except tuple(STATUS) as error:
        return await context.abort(STATUS[type(error)][0], str(error))
