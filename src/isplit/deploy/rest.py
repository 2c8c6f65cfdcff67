"""The Open Inference Protocol over HTTP: JSON, or bytes that follow the JSON."""

import asyncio
import json
from functools import partial
from typing import Any

import grpc
import numpy as np
from aiohttp import web
from prometheus_client import generate_latest
from tritonclient.grpc import service_pb2 as messages

from isplit.codec import PayloadError
from isplit.deploy.calls import Tails, UnknownModelError, answer
from isplit.deploy.tail import BusyError

BODY_S = 30  # that a request may take to come
MOST_READ = 64  # bodies that are being read at once: they are in memory, and in no queue yet
BESIDE_BYTES = 65_536  # of a request, besides its payloads
STATUS: dict[type[Exception], tuple[grpc.StatusCode, int]] = {
    PayloadError: (grpc.StatusCode.INVALID_ARGUMENT, 400),
    UnknownModelError: (grpc.StatusCode.NOT_FOUND, 404),
    BusyError: (grpc.StatusCode.RESOURCE_EXHAUSTED, 429),
    TimeoutError: (grpc.StatusCode.DEADLINE_EXCEEDED, 408),
}
SPOKEN: web.AppKey[set[Any]] = web.AppKey("spoken", set)
READING = web.AppKey("reading", asyncio.Semaphore)
PATHS = {
    "": "ServerMetadata",
    "/health/live": "ServerLive",
    "/health/ready": "ServerReady",
    "/models/{name}": "ModelMetadata",
    "/models/{name}/ready": "ModelReady",
    "/models/{name}/infer": "ModelInfer",
}


def app(tails: Tails) -> web.Application:
    """Answers requests of the protocol, and ``/metrics`` in the text of Prometheus."""

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(body=generate_latest())

    largest = max(tail.export.largest_bytes for tail in tails.values())
    most = 5 * largest + BESIDE_BYTES  # JSON has "255, " for a byte
    spoken: set[Any] = set()

    @web.middleware
    async def noted(request: web.Request, handler: Any) -> web.StreamResponse:
        spoken.add(request.protocol)
        answered: web.StreamResponse = await handler(request)
        return answered

    app = web.Application(client_max_size=most, middlewares=[noted])
    app[SPOKEN] = spoken
    app[READING] = asyncio.Semaphore(MOST_READ)
    app.router.add_get("/metrics", metrics)
    for path, call in PATHS.items():
        method = "POST" if call == "ModelInfer" else "GET"
        for place in {path, path.replace("{name}", "{name}/versions/{version}")}:
            app.router.add_route(method, f"/v2{place}", partial(_over_rest, tails, call))
    return app


async def _over_rest(tails: Tails, call: str, request: web.Request) -> web.Response:
    message = getattr(messages, f"{call}Request")
    try:
        infers = call == "ModelInfer"
        asked = await _asked(request) if infers else message(**request.match_info)
        found = await answer(tails, call, asked)
    except tuple(STATUS) as error:
        return web.json_response({"error": str(error)}, status=STATUS[type(error)][1])
    for raw in found.pop("raw_output_contents", []):
        found["outputs"][0]["data"] = np.frombuffer(raw, np.float32).tolist()
    return web.json_response(found, status=200 if found.get("ready", True) else 503)


async def close_silent(app: web.Application, runner: web.AppRunner) -> None:
    """Close connections on which no request has come for so long, again and again."""
    before: set[Any] = set()
    while True:
        await asyncio.sleep(BODY_S)
        there = {*runner.server.connections} if runner.server else set()
        spoken = app[SPOKEN]
        spoken &= there
        for connection in (before & there) - spoken:
            connection.force_close()
        before = there


async def _asked(request: web.Request) -> Any:
    """The request once its body is there; only so many are waited for at once."""
    if request.app[READING].locked():
        raise BusyError(f"{MOST_READ} requests are being read")
    async with request.app[READING], asyncio.timeout(BODY_S):
        body = await request.read()
    return _message(request, body)


def _message(request: web.Request, body: bytes) -> Any:
    """The request as gRPC has it; inputs are numbers of JSON, or bytes that follow the JSON."""
    try:
        place = int(request.headers.get("Inference-Header-Content-Length", len(body)))
        asked = json.loads(body[:place])
        (one,), binary = asked["inputs"], body[place:]
        said = asked.get("parameters", {})
        said = {key: {"string_param": said[key]} for key in ("profile", "export") if said.get(key)}
        if one.get("parameters", {}).get("binary_data_size", 0) != len(binary):
            raise ValueError("binary_data_size is not that of what follows the JSON")
        return messages.ModelInferRequest(
            model_name=request.match_info["name"],
            model_version=request.match_info.get("version", ""),
            id=asked.get("id", ""),
            parameters=said,
            inputs=[{key: one[key] for key in ("name", "datatype", "shape")}],
            outputs=[{"name": output["name"]} for output in asked.get("outputs", [])],
            raw_input_contents=[bytes([*one["data"]]) if "data" in one else binary],
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise PayloadError(f"the body is no request of the protocol: {error!r:.200}") from error
