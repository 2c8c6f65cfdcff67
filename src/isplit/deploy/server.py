"""A tail behind the Open Inference Protocol, over gRPC and HTTP."""

import asyncio
import json
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
import numpy as np
from aiohttp import web
from prometheus_client import generate_latest
from tritonclient.grpc import service_pb2 as messages
from tritonclient.grpc import service_pb2_grpc as stubs

from isplit.codec import PayloadError
from isplit.deploy.calls import UnknownModelError, answer
from isplit.deploy.tail import BusyError, Tail

GRACE_S = 10  # for what is under way when the server is told to end
BODY_S = 30  # that the body of a request may take
MOST_REQUESTS = 256  # at once
BESIDE_BYTES = 65_536  # of a request, besides its payloads
STATUS: dict[type[Exception], tuple[grpc.StatusCode, int]] = {
    PayloadError: (grpc.StatusCode.INVALID_ARGUMENT, 400),
    UnknownModelError: (grpc.StatusCode.NOT_FOUND, 404),
    BusyError: (grpc.StatusCode.RESOURCE_EXHAUSTED, 429),
    TimeoutError: (grpc.StatusCode.DEADLINE_EXCEEDED, 408),
}
PATHS = {
    "": "ServerMetadata",
    "/health/live": "ServerLive",
    "/health/ready": "ServerReady",
    "/models/{name}": "ModelMetadata",
    "/models/{name}/ready": "ModelReady",
    "/models/{name}/infer": "ModelInfer",
}


async def serve(
    tail: Tail, host: str, port: int, rest_port: int, say: Callable[[str], None]
) -> None:
    """Serves until SIGTERM or SIGINT; what is under way then is answered first.

    Args:
        tail: what answers.
        host: address to listen at.
        port: of gRPC; 0 takes a free one.
        rest_port: of HTTP; 0 takes a free one.
        say: is told where requests can come, once they can.

    Raises:
        OSError, RuntimeError: a port is taken.
    """
    server, runner = _grpc_server(tail), web.AppRunner(_rest_app(tail), access_log=None)
    port = server.add_insecure_port(f"{host}:{port}")
    await runner.setup()
    await web.TCPSite(runner, host, rest_port).start()
    await server.start()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    rest_port = runner.addresses[0][1]
    say(f"{tail.export.name}: gRPC at {host}:{port}, HTTP at {host}:{rest_port}")
    await stop.wait()
    tail.ready = False
    await server.stop(GRACE_S)
    await runner.cleanup()


def _grpc_server(tail: Tail) -> grpc.aio.Server:
    most = tail.largest_bytes + BESIDE_BYTES
    options = [("grpc.max_receive_message_length", most), ("grpc.so_reuseport", 0)]
    server = grpc.aio.server(options=options, maximum_concurrent_rpcs=MOST_REQUESTS)
    servicer = stubs.GRPCInferenceServiceServicer()
    for call in PATHS.values():
        setattr(servicer, call, partial(_over_grpc, tail, call))
    stubs.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    return server


async def _over_grpc(tail: Tail, call: str, request: Any, context: Any) -> Any:
    try:
        return getattr(messages, f"{call}Response")(**await answer(tail, call, request))
    except tuple(STATUS) as error:
        return await context.abort(STATUS[type(error)][0], str(error))


def _rest_app(tail: Tail) -> web.Application:
    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=generate_latest())

    most = 5 * tail.largest_bytes + BESIDE_BYTES  # JSON has "255, " for a byte
    app = web.Application(client_max_size=most)
    app.router.add_get("/metrics", metrics)
    for path, call in PATHS.items():
        method = "POST" if call == "ModelInfer" else "GET"
        app.router.add_route(method, f"/v2{path}", partial(_over_rest, tail, call))
    return app


async def _over_rest(tail: Tail, call: str, request: web.Request) -> web.Response:
    message = getattr(messages, f"{call}Request")
    try:
        infers = call == "ModelInfer"
        asked = await _message(request) if infers else message(**request.match_info)
        found = await answer(tail, call, asked)
    except tuple(STATUS) as error:
        return web.json_response({"error": str(error)}, status=STATUS[type(error)][1])
    for raw in found.pop("raw_output_contents", []):
        found["outputs"][0]["data"] = np.frombuffer(raw, np.float32).tolist()
    return web.json_response(found, status=200 if found.get("ready", True) else 503)


async def _message(request: web.Request) -> Any:
    """The request as gRPC has it; inputs are numbers of JSON, or bytes that follow the JSON."""
    async with asyncio.timeout(BODY_S):
        body = await request.read()
    try:
        place = int(request.headers.get("Inference-Header-Content-Length", len(body)))
        asked = json.loads(body[:place])
        (one,), binary = asked["inputs"], body[place:]
        profile = asked.get("parameters", {}).get("profile")
        if one.get("parameters", {}).get("binary_data_size", 0) != len(binary):
            raise ValueError("binary_data_size is not that of what follows the JSON")
        return messages.ModelInferRequest(
            model_name=request.match_info["name"],
            id=asked.get("id", ""),
            parameters={"profile": {"string_param": profile}} if profile else {},
            inputs=[{key: one[key] for key in ("name", "datatype", "shape")}],
            outputs=[{"name": output["name"]} for output in asked.get("outputs", [])],
            raw_input_contents=[bytes([*one["data"]]) if "data" in one else binary],
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise PayloadError(f"the body is no request of the protocol: {error!r:.200}") from error
