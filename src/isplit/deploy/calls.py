"""The calls of the Open Inference Protocol, which gRPC and HTTP turn their messages into."""

from collections.abc import Mapping
from typing import Any

from isplit.codec import PayloadError
from isplit.deploy.tail import BUSY, REFUSED, REQUESTS, BusyError, Tail

Tails = Mapping[str, Tail]
"""What a server answers with, by the name of the model."""
INPUT, OUTPUT = ("payload", "UINT8"), ("logits", "FP32")


class UnknownModelError(LookupError):
    """No model of this name or version is served."""


async def answer(tails: Tails, call: str, request: Any) -> dict[str, Any]:
    """The fields of the response to a call of the protocol; its requests are those of gRPC.

    Raises:
        UnknownModelError: another model is asked for.
        PayloadError: the request is not as it must be, or its payload is none of this export.
        BusyError: come back later.
    """
    match call:
        case "ServerLive":
            return {"live": True}
        case "ServerReady":
            return {"ready": all(tail.ready for tail in tails.values())}
        case "ServerMetadata":
            return {"name": "isplit", "version": "1", "extensions": ["binary_tensor_data"]}
    infers = call == "ModelInfer"
    fields = ("model_name", "model_version") if infers else ("name", "version")
    model, version = (getattr(request, field) for field in fields)
    tail = tails.get(model)
    if tail is None or version not in ("", "1"):
        raise UnknownModelError(f"no model {model[:99]!r} {version[:9]}, but 1 of {[*tails]}")
    if call == "ModelReady":
        return {"ready": tail.ready}
    return await _infer(tail, request) if infers else _about(tail)


def _about(tail: Tail) -> dict[str, Any]:
    ends = [(*INPUT, [-1]), (*OUTPUT, [1, len(tail.export.class_names)])]
    given, found = (dict(zip(("name", "datatype", "shape"), end, strict=True)) for end in ends)
    about = {"name": tail.export.name, "versions": ["1"], "platform": "onnxruntime_isplit"}
    return about | {"inputs": [given], "outputs": [found]}


async def _infer(tail: Tail, request: Any) -> dict[str, Any]:
    REQUESTS.inc()
    with REFUSED.count_exceptions(PayloadError), BUSY.count_exceptions(BusyError):
        logits = await tail.logits(_payload(tail, request))
    output = {"name": OUTPUT[0], "datatype": OUTPUT[1], "shape": logits.shape}
    about = {"model_name": tail.export.name, "model_version": "1", "id": request.id}
    return about | {"outputs": [output], "raw_output_contents": [logits.tobytes()]}


def _payload(tail: Tail, request: Any) -> bytes:
    """The one input, once everything around it is as it must be."""
    raw, given = request.raw_input_contents, request.parameters
    if [(one.name, one.datatype) for one in request.inputs] != [INPUT] or len(raw) != 1:
        raise PayloadError("it takes one input, payload of UINT8, in raw_input_contents")
    if list(request.inputs[0].shape) not in ([len(raw[0])], [1, len(raw[0])]):
        raise PayloadError(f"the shape is not that of what came, [{len(raw[0])}]")
    if any(one.name != OUTPUT[0] for one in request.outputs):
        raise PayloadError("it has one output, logits")
    for key, ours in tail.export.known_by.items():
        if key in given and given[key].string_param != ours:
            raise PayloadError(f"the payload is of another {key} than the one here, {ours}")
    payload: bytes = raw[0]
    return payload
