"""Export, the server process as its clients see it, and the device's distribution."""

import asyncio
import contextlib
import csv
import json
import os
import random
import shutil
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from isplit.codec import PayloadError, from_config
from isplit.data.listing import Labelled, balanced
from isplit.deploy.export import _sender
from isplit.deploy.manifest import (
    HEAD,
    MANIFEST,
    NET,
    TAIL,
    Export,
    decoded,
    read_export,
    run,
    session,
)
from isplit.network.summary import Frame

pytest.importorskip("grpc", reason="the extra serve is not installed")
pytest.importorskip("tritonclient", reason="the extra serve is not installed")
import grpc
import tritonclient.grpc as triton
from serving import Server, asked
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException

from isplit.deploy.rest import MOST_READ
from isplit.deploy.server import MOST_REQUESTS
from isplit.deploy.tail import BusyError, Tail

NAME = "tiny-net-mid"


def test_an_export_says_what_it_is_and_was_compared_with_torch(export_folder):
    export = read_export(export_folder, [HEAD, TAIL, NET])
    assert export.name == NAME
    assert export.preprocessing["image_size"] == 32
    assert export.checked["images"] == export.checked["labels_equal"] == 20
    assert export.checked["largest_difference"] < 1e-5
    assert set(export.files) == {path.name for path in export_folder.iterdir()} - {MANIFEST}
    assert f"# {NAME}" in (export_folder / "README.md").read_text()


def test_the_whole_net_is_the_parts_without_the_codec(export_folder, pixels):
    code = run(session(export_folder / HEAD), pixels)
    parts = run(session(export_folder / TAIL), code)
    assert np.abs(run(session(export_folder / NET), pixels) - parts).max() < 1e-5


def test_the_head_resizes_as_training_did(export_folder, pixels):
    from PIL import Image

    head = session(export_folder / HEAD)
    for shape in ((32, 32), (50, 43), (19, 41)):
        image = np.asarray(Image.fromarray(pixels[0]).resize(shape[::-1]))
        small = np.asarray(Image.fromarray(image).resize((32, 32), Image.Resampling.BILINEAR))
        found, expected = run(head, image[None]), run(head, small[None])
        assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()  # a level of 255


def test_a_file_that_is_another_is_refused(export_folder, tmp_path):
    for path in export_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / TAIL).write_bytes(b"other")
    with pytest.raises(ValueError, match=r"no export of isplit: tail.onnx is not the file"):
        read_export(tmp_path, [TAIL])
    about = json.loads((tmp_path / MANIFEST).read_text())
    (tmp_path / MANIFEST).write_text(json.dumps(about | {"schema": 9}))
    with pytest.raises(ValueError, match="its schema is 9, not 1"):
        read_export(tmp_path, [HEAD])
    wrong = {"class_names": 5, "code_shape": ["a"], "codec": None, "preprocessing": {"fit": "crop"}}
    for key, value in wrong.items():
        (tmp_path / MANIFEST).write_text(json.dumps(about | {key: value}))
        with pytest.raises(ValueError, match="is no export of isplit"):
            read_export(tmp_path, [HEAD])
    (tmp_path / MANIFEST).write_text("[" * 100_000)
    with pytest.raises(ValueError, match="is no export of isplit"):
        read_export(tmp_path, [HEAD])
    (tmp_path / MANIFEST).unlink()
    with pytest.raises(ValueError, match="no export of isplit"):
        read_export(tmp_path, [HEAD])


def test_names_of_other_classes_are_refused(export_folder, pixels, tmp_path):
    shutil.copytree(export_folder, tmp_path, dirs_exist_ok=True)
    about = json.loads((tmp_path / MANIFEST).read_text())
    (tmp_path / MANIFEST).write_text(json.dumps(about | {"class_names": ["A", "B"]}))
    with pytest.raises(ValueError, match="10 logits, but 2 names of classes"):
        Tail(tmp_path)
    from isplit_edge import Device

    with Device(tmp_path, None) as device, pytest.raises(ValueError, match="10 logits, but 2"):
        device.answer(pixels[0])


def test_what_cannot_be_exported_is_said(run_folder, tmp_path, capsys):
    from isplit.deploy.__main__ import main

    assert main(["export", os.fspath(tmp_path)]) == 1
    assert "split_model.json" in capsys.readouterr().err
    assert main(["serve", os.fspath(tmp_path)]) == 1
    assert "is no export of isplit" in capsys.readouterr().err


@pytest.mark.parametrize("codec", [["--codec", "jpeg"], ["--codec", "gzip"], ["--bits", "8"]])
def test_a_codec_that_cannot_be_leaves_the_export_that_is_there(
    codec, run_folder, export_folder, tmp_path, capsys, monkeypatch, written_nets
):
    from isplit.codec import from_config
    from isplit.deploy import export
    from isplit.deploy.__main__ import main

    loaded = export.load_split_model

    def plain(*folder):
        split = loaded(*folder)
        split.codec = from_config({"name": "plain"})
        return split

    monkeypatch.setattr(export, "load_split_model", plain)
    words = ["export", os.fspath(run_folder), "--out", os.fspath(tmp_path), "--images", "4"]
    assert main([*words, "--codec", "plain"]) == 0
    before = read_export(tmp_path, [TAIL])
    assert before.codec == {"name": "plain", "dtype": "float32"}
    assert main([*words, *codec]) == 1
    assert "codec" in capsys.readouterr().err
    assert read_export(tmp_path, [TAIL]) == before


def test_a_net_that_the_exporter_refuses_is_named(tmp_path):
    from isplit.deploy.nets import _write

    class Odd(torch.nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(ValueError, match=r"head.onnx cannot be exported: "):
        _write(Odd(), torch.ones(2, 3), {}, tmp_path / "head.onnx", "pixels", "code")


def test_files_that_differ_from_torch_are_refused(run_folder, tmp_path, monkeypatch, written_nets):
    from isplit.deploy import export as room

    write_nets = room.write_nets

    def changed_afterwards(split, data, out):
        shape = write_nets(split, data, out)
        next(split.head.parameters()).data.mul_(1.5)
        return shape

    monkeypatch.setattr(room, "write_nets", changed_afterwards)
    with pytest.raises(ValueError, match="the files differ from torch by"):
        room.export(run_folder, tmp_path, images=4)
    assert not (tmp_path / MANIFEST).exists()


def test_answers_in_a_batch_are_those_of_frames_alone(export_folder, sent):
    payloads, logits = sent
    tail = Tail(export_folder, max_batch=5, queue=64)

    async def all_at_once():
        return [await asyncio.gather(*map(tail.logits, payloads)) for _ in range(3)]

    for found in asyncio.run(all_at_once()):
        np.testing.assert_allclose(np.concatenate(found), logits, atol=1e-5)


def test_a_bad_payload_among_good_ones_fails_alone(export_folder, sent):
    payloads, logits = sent
    tail = Tail(export_folder)
    mixed = [*payloads[:3], b"nonsense", *payloads[3:]]

    async def all_at_once():
        return await asyncio.gather(*map(tail.logits, mixed), return_exceptions=True)

    found = asyncio.run(all_at_once())
    assert isinstance(found.pop(3), PayloadError)
    np.testing.assert_allclose(np.concatenate(found), logits, atol=1e-5)


def test_a_client_that_goes_takes_nobody_with_it(export_folder, sent):
    payloads, logits = sent
    tail = Tail(export_folder)

    async def some_go():
        tasks = [asyncio.create_task(tail.logits(payload)) for payload in payloads]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    found = asyncio.run(some_go())[1::2]
    np.testing.assert_allclose(np.concatenate(found), logits[1::2], atol=1e-5)
    assert tail._waiting == 0


def test_a_codec_without_a_profile_and_a_code_of_another_shape(export_folder, sent, tmp_path):
    folder = tmp_path / "export"
    shutil.copytree(export_folder, folder)
    about = json.loads((folder / MANIFEST).read_text()) | {"profile": None}
    (folder / MANIFEST).write_text(json.dumps(about | {"codec": {"name": "plain"}}))
    tail = Tail(folder)
    codec, shape = from_config({"name": "plain"}), read_export(folder, []).code_shape
    code = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    expected = run(session(folder / TAIL), code)
    found = asyncio.run(tail.logits(codec.encode(code)[0]))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    with pytest.raises(PayloadError, match=r"a code of shape \(1, 2\), not "):
        asyncio.run(tail.logits(codec.encode(np.zeros((1, 1, 2), np.float32))[0]))


def test_a_full_queue_and_an_ending_server_say_so(export_folder, sent):
    tail = Tail(export_folder, queue=2)

    async def too_many():
        return await asyncio.gather(
            *(tail.logits(sent[0][0]) for _ in range(5)), return_exceptions=True
        )

    found = asyncio.run(too_many())
    assert sum(isinstance(one, BusyError) for one in found) == 3
    tail.ready = False
    with pytest.raises(BusyError, match="about to end"):
        asyncio.run(tail.logits(sent[0][0]))


def test_an_unmodified_client_of_triton(server, sent):
    client = server.client()
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(NAME)
    assert client.get_server_metadata().name == "isplit"
    assert client.get_model_metadata(NAME, as_json=True)["inputs"][0]["name"] == "payload"
    for payload, expected in zip(*sent, strict=True):
        found = client.infer(NAME, asked(payload), request_id="7")
        np.testing.assert_allclose(found.as_numpy("logits")[0], expected, atol=1e-5)
        assert found.get_response().id == "7"


def test_the_same_over_http(server, sent):
    payload, model = sent[0][0], f"/v2/models/{NAME}"
    for path in ("/v2", "/v2/health/live", "/v2/health/ready", model, f"{model}/ready"):
        assert server.http(path)[0] == 200
    assert server.http(f"{model}/versions/1/ready")[0] == 200
    assert server.http(f"{model}/versions/2")[0] == 404
    one = {"name": "payload", "datatype": "UINT8", "shape": [len(payload)]}
    numbers = json.dumps({"id": "a", "inputs": [one | {"data": list(payload)}]}).encode()
    status, found = server.http(f"{model}/infer", numbers)
    binary = {"inputs": [one | {"parameters": {"binary_data_size": len(payload)}}]}
    begin = json.dumps(binary).encode()
    size = {"Inference-Header-Content-Length": str(len(begin))}
    assert (status, json.loads(found)["id"]) == (200, "a")
    assert server.http(f"{model}/versions/1/infer", numbers) == (200, found)
    assert server.http(f"{model}/versions/2/infer", numbers)[0] == 404
    for answer in (found, server.http(f"{model}/infer", begin + payload, **size)[1]):
        logits = json.loads(answer)["outputs"][0]["data"]
        np.testing.assert_allclose(logits, sent[1][0], atol=1e-5)
    assert server.http("/v2/models/other/ready")[0] == 404
    huge = json.dumps({"inputs": [one | {"data": 2**40}]}).encode()
    for body in (huge, b"", b"{}", b"[]", numbers[:-9], b'{"inputs":[1]}', begin + payload):
        assert server.http(f"{model}/infer", body)[0] == 400
    status, numbers = server.http("/metrics")
    assert b"isplit_requests_total" in numbers
    assert b"isplit_decode_seconds_bucket" in numbers


def refusals(payload):
    """Requests that look right but for one thing, and what is said."""
    good = asked(payload)
    for model, version in (("other", ""), (NAME, "2")):
        yield "no model", {"model_name": model, "inputs": good, "model_version": version}
    yield "one input", {"model_name": NAME, "inputs": asked(payload, name="x")}
    yield "one input", {"model_name": NAME, "inputs": good * 2}
    other = triton.InferInput("payload", [len(payload)], "INT8")
    yield (
        "one input",
        {
            "model_name": NAME,
            "inputs": [other.set_data_from_numpy(np.frombuffer(payload, np.int8))],
        },
    )
    shaped = triton.InferInput("payload", [len(payload)], "UINT8")
    shaped.set_data_from_numpy(np.frombuffer(payload, np.uint8))
    shaped.set_shape([len(payload) + 1])
    yield "the shape", {"model_name": NAME, "inputs": [shaped]}
    yield (
        "one output",
        {"model_name": NAME, "inputs": good, "outputs": [triton.InferRequestedOutput("x")]},
    )
    for key in ("profile", "export"):
        yield f"another {key}", {"model_name": NAME, "inputs": good, "parameters": {key: "00"}}
    yield "more than", {"model_name": NAME, "inputs": asked(bytes(20_000))}
    yield "not a payload|checksum", {"model_name": NAME, "inputs": asked(payload[:-1])}


def test_each_refusal_says_why(server, sent):
    client = server.client()
    for why, request in refusals(sent[0][0]):
        with pytest.raises(InferenceServerException, match=why):
            client.infer(**request)


def test_abuse(server, sent):
    """Mutated payloads, messages that are none, garbage, silence; benchmarks/serve.py has more."""
    payloads, logits = sent
    rng, client, before = random.Random(0), server.client(), server.memory_bytes()
    silent = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
    for _ in range(20):
        with socket.create_connection(
            ("127.0.0.1", rng.choice((server.port, server.rest)))
        ) as peer:
            peer.sendall(rng.randbytes(300))
    for _ in range(200):
        bad = bytearray(rng.choice(payloads))
        bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        with pytest.raises(InferenceServerException, match="INVALID_ARGUMENT"):
            client.infer(NAME, asked(bytes(bad)))
    channel = client._channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
    for _ in range(100):
        with pytest.raises(Exception, match="StatusCode"):
            channel(rng.randbytes(rng.randrange(1, 200)), timeout=10)
    found = client.infer(NAME, asked(payloads[0])).as_numpy("logits")
    np.testing.assert_allclose(found[0], logits[0], atol=1e-5)
    assert server.memory_bytes() - before < 50 * 2**20
    for peer in silent:
        peer.close()


def test_a_device_answers_with_server_without_and_again_with_it(
    export_folder, pixels, sent, tmp_path
):
    from isplit_edge import Device

    payloads, logits = sent
    whole = run(session(export_folder / NET), pixels)
    first, log = Server(export_folder), tmp_path / "log.csv"
    with Device(export_folder, f"127.0.0.1:{first.port}", deadline_s=5, log=log) as device:
        for image, payload, expected in zip(pixels[:4], payloads, logits, strict=False):
            answer = device.answer(image)
            assert (answer.where, answer.payload_bytes) == ("server", len(payload))
            np.testing.assert_allclose(answer.logits, expected, atol=1e-5)
        first.stop()
        device._deadline_s = 0.2
        answer = device.answer(pixels[4])
        assert (answer.where, answer.label) == ("device", whole[4].argmax())
        second, device._deadline_s = Server(export_folder, port=first.port), 5
        until = time.monotonic() + 2 + 1
        while device.answer(pixels[5]).where == "device":
            assert time.monotonic() < until
        second.stop()
    rows = list(csv.DictReader(log.open()))
    assert tuple(rows[0]) == Frame._fields
    assert {row["fate"] for row in rows} == {"answered"}
    assert float(rows[0]["arrival_s"]) <= float(rows[0]["ready_s"]) <= float(rows[0]["answered_s"])
    wire = {int(row["wire_bytes"]) for row in rows}
    assert 0 in wire
    assert max(wire) > max(map(len, payloads))


def test_a_device_without_fallback_is_told_by_its_deadline(export_folder, pixels, tmp_path):
    from isplit_edge import Device

    log = tmp_path / "log.csv"
    with Device(export_folder, "127.0.0.1:9", deadline_s=0.3, fallback=False, log=log) as device:
        start = time.monotonic()
        with pytest.raises(TimeoutError, match="no answer in time"):
            device.answer(pixels[0])
        assert time.monotonic() - start < 2
        with pytest.raises(ValueError, match=r"pixels are uint8 \(H, W, 3\)"):
            device.answer(pixels[0].astype(float))
    assert next(csv.DictReader(log.open()))["fate"] == "lost_on_the_way_up"


def test_a_call_that_an_ending_server_cancels_is_asked_again(export_folder, server, pixels):
    from isplit_edge import Device
    from isplit_edge.server import CALL

    behind = grpc.insecure_channel(f"127.0.0.1:{server.port}")
    asked_for = []

    def infer(request, context):
        asked_for.append(request)
        if len(asked_for) == 1:
            context.abort(grpc.StatusCode.CANCELLED, "as gRPC does with calls that wait")
        return behind.unary_unary(CALL)(request)

    before = grpc.server(ThreadPoolExecutor(1))
    handlers = {"ModelInfer": grpc.unary_unary_rpc_method_handler(infer)}
    service = CALL.split("/")[1]
    before.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = before.add_insecure_port("127.0.0.1:0")
    before.start()
    with Device(export_folder, f"127.0.0.1:{port}", deadline_s=10) as device:
        assert device.answer(pixels[0]).where == "server"
    before.stop(None)
    behind.close()
    assert len(asked_for) == 2


def test_a_server_of_another_export_refuses_the_device(export_folder, server, pixels, monkeypatch):
    from isplit_edge import Device, RefusedError

    with Device(export_folder, f"127.0.0.1:{server.port}", deadline_s=5) as device:
        payload = device._halves[0].encoded(pixels[:1])
        monkeypatch.setattr(device._halves[0].codec.__class__, "encode", lambda *_: [payload[::-1]])
        with pytest.raises(RefusedError, match="the server refuses: INVALID_ARGUMENT"):
            device.answer(pixels[0])


def test_a_device_whose_tail_was_exported_again_is_refused(export_folder, server, pixels, tmp_path):
    """Its codec and the shape of its code are the same, its head is not of this tail."""
    from isplit_edge import Device, RefusedError

    folder = tmp_path / "export"
    shutil.copytree(export_folder, folder)
    about = json.loads((folder / MANIFEST).read_text())
    about["files"] |= {TAIL: "0" * 64}
    (folder / MANIFEST).write_text(json.dumps(about))
    with (
        Device(folder, f"127.0.0.1:{server.port}", deadline_s=5) as device,
        pytest.raises(RefusedError, match="of another export than the one here"),
    ):
        device.answer(pixels[0])


@pytest.mark.parametrize(
    ("codec", "shape"),
    [
        ({"name": "rle", "bits": 8}, (8, 4, 4)),
        ({"name": "quantize", "bits": 4, "per": "channel"}, (8, 4, 4)),
        ({"name": "ans", "bits": 8}, (16, 8, 8)),
        ({"name": "quantize", "bits": 8, "per": "channel"}, (32, 1, 1)),
    ],
)
def test_small_codes_of_codecs_without_a_profile_are_decoded(codec, shape):
    export = Export("net", ("A",), {}, shape, codec, None, {})
    sender = from_config(codec)
    code = np.random.default_rng(0).normal(size=(1, *shape)).astype(np.float32)
    payload = sender.encode(code)[0]
    assert np.array_equal(decoded(sender, export, payload), sender.decode([payload]))


def test_an_export_is_calibrated_on_all_classes():
    """Not on the first images in the order of the folders, which are of a few."""
    images = [Labelled(f"{k}-{n}", k) for k in range(10) for n in range(120)]
    seen = []

    def loader(split, batch, images=None, _all=images):
        chosen = balanced(_all, images, 0) if images else _all
        seen.extend(chosen)
        labels = torch.tensor([image.label for image in chosen])
        yield labels[:, None].float().repeat(1, 8), labels

    _sender(SimpleNamespace(encode=lambda x: x), None, SimpleNamespace(loader=loader))
    assert {image.label for image in seen[:500]} == set(range(10))
    assert len(seen) == 500


def test_nan_of_a_file_is_a_difference(run_folder, tmp_path, monkeypatch, written_nets):
    from isplit.deploy import export as room
    from isplit.deploy import nets

    def odd(net, x):
        answer = run(net, x)
        return answer if net.get_inputs()[0].name == "pixels" else answer * np.nan

    monkeypatch.setattr(nets, "run", odd)
    with pytest.raises(ValueError, match="the files differ from torch by nan"):
        room.export(run_folder, tmp_path, images=4)


def test_the_messages_by_hand_are_those_of_the_stubs(export_folder):
    from isplit_edge.message import infer_request, raw_output

    for size in (0, 1, 127, 128, 70_000):
        payload = bytes(size)
        found = service_pb2.ModelInferRequest.FromString(infer_request("net", "ab", payload))
        assert found.raw_input_contents == [payload]
        assert (found.model_name, found.parameters["export"].string_param) == ("net", "ab")
        one = found.inputs[0]
        assert (one.name, one.datatype, list(one.shape)) == ("payload", "UINT8", [size])
        outputs = [{"name": "logits", "datatype": "FP32", "shape": [1, size]}]
        answer = service_pb2.ModelInferResponse(
            model_name="net", id="x" * 200, outputs=outputs, raw_output_contents=[payload]
        )
        assert raw_output(answer.SerializeToString()) == payload
    with pytest.raises(ValueError, match="no raw_output_contents"):
        raw_output(b"")


def test_the_command_of_the_device(export_folder, pixels, tmp_path, capsys):
    from isplit_edge.__main__ import main
    from PIL import Image

    folder = tmp_path / "images"
    folder.mkdir()
    words = ["run", os.fspath(export_folder), "--images", os.fspath(folder)]
    assert main(words) == 1
    assert "is no folder with files" in capsys.readouterr().err
    Image.fromarray(pixels[0]).save(folder / "a.png")
    (folder / ".DS_Store").write_bytes(b"of a Mac")
    assert main(words) == 0
    assert capsys.readouterr().out.split("\t")[-1] == "device\n"
    assert main([*words, "--server", "127.0.0.1:9", "--deadline", "0.2", "--no-fallback"]) == 1
    assert "no answer in time" in capsys.readouterr().out
    Image.fromarray(np.zeros((4, 4), np.int32)).save(folder / "b.tiff")
    assert main(words) == 1
    assert "more than 8 bits" in capsys.readouterr().err
    (folder / "b.tiff").write_bytes(b"no image")
    assert main(words) == 1
    assert "is no image" in capsys.readouterr().err
    for more in (["--min-accuracy", "0.9"], ["--no-fallback"], ["--tls-ca", "ca.pem"]):
        with pytest.raises(SystemExit, match="2"):
            main([*words, *more])
        assert more[0][:5] in capsys.readouterr().err


HURRIED = """
import sys
from isplit.deploy import rest, server
from isplit.deploy.__main__ import main
rest.BODY_S = server.BODY_S = 2
sys.exit(main(["serve", *sys.argv[1:]]))
"""


@pytest.fixture
def hurried(export_folder):
    """A server that waits for no request longer than two seconds."""
    server = Server(export_folder, entry=("-c", HURRIED))
    yield server
    server.stop()


def until(done, seconds):
    """Ask again and again; how often it is, an error counts as no."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        with contextlib.suppress(InferenceServerException):
            if done():
                return
        time.sleep(0.05)
    pytest.fail(f"not within {seconds} s")


def is_full(server):
    try:
        server.client().is_server_ready()
    except InferenceServerException as error:
        return "Concurrent RPC limit exceeded" in str(error)
    return False


def test_who_does_not_say_what_is_asked_keeps_nobody_out(hurried):
    """Calls of gRPC whose message does not come; connections on which no request comes."""
    over = threading.Event()

    def nothing():
        over.wait(60)
        yield from ()

    silent = [socket.create_connection(("127.0.0.1", hurried.rest)) for _ in range(5)]
    with grpc.insecure_channel(f"127.0.0.1:{hurried.port}") as channel:
        begun = channel.stream_unary("/inference.GRPCInferenceService/ModelInfer")
        calls = [begun.future(nothing()) for _ in range(MOST_REQUESTS)]
        until(lambda: is_full(hurried), 10)
        until(hurried.client().is_server_ready, 20)
        over.set()
        codes = {call.code().name for call in calls}
        assert "DEADLINE_EXCEEDED" in codes
        assert codes <= {"DEADLINE_EXCEEDED", "INVALID_ARGUMENT"}  # or ended by us
    for connection in silent:
        connection.settimeout(20)
        assert connection.recv(100) == b""
        connection.close()
    assert hurried.http("/v2/health/ready")[0] == 200


def test_bodies_that_are_not_there_yet_are_bounded(hurried):
    path = f"/v2/models/{NAME}/infer"
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{{"
    open_ones = [socket.create_connection(("127.0.0.1", hurried.rest)) for _ in range(MOST_READ)]
    for connection in open_ones:
        connection.sendall(head.encode())
    until(lambda: hurried.http(path, b"{}")[0] == 429, 10)
    until(lambda: hurried.http(path, b"{}")[0] == 400, 20)
    for connection in open_ones:
        connection.close()
