"""More than one server, and the files that a cluster runs."""

import json
import math
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import yaml

pytest.importorskip("grpc", reason="the extra serve is not installed")
pytest.importorskip("tritonclient", reason="the extra serve is not installed")
from google.protobuf import text_format
from serving import ROOT, Server
from tritonclient.grpc import model_config_pb2

from isplit.deploy.cluster import write_kserve, write_triton
from isplit.deploy.manifest import HEAD, TAIL, codec_of, read_export, run, session

UNCOMPILED = {"NUMBA_DISABLE_JIT": "1"}  # in a new folder all would be compiled; the same bytes
HAPROXY = """
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
frontend here
  bind 127.0.0.1:{port} proto h2
  default_backend tails
backend tails
  server a 127.0.0.1:{a} proto h2 check inter 200ms
  server b 127.0.0.1:{b} proto h2 check inter 200ms
"""


@pytest.fixture
def servers(export_folder, server):
    """One that may be killed, and one that may not."""
    own = Server(export_folder)
    yield [own, server]
    own.stop()


@pytest.fixture(params=["in turn", "haproxy"])
def addresses(request, servers, tmp_path):
    """Where clients ask: both servers, or a balancer before them."""
    if request.param == "in turn":
        yield [f"localhost:{server.port}" for server in servers]
        return
    if not shutil.which("haproxy"):
        pytest.skip("no balancer is installed: apt install haproxy")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    text = HAPROXY.format(port=port, a=servers[0].port, b=servers[1].port)
    (tmp_path / "haproxy.cfg").write_text(text)
    proxy = subprocess.Popen(["haproxy", "-db", "-f", tmp_path / "haproxy.cfg"])
    yield [f"127.0.0.1:{port}"]
    proxy.kill()
    proxy.wait()


def test_two_servers_answer_many_and_one_is_killed(export_folder, servers, addresses, sent):
    from isplit_edge.server import Server as Client

    (payloads, logits), export = sent, read_export(export_folder, [])

    def ask(number):
        client = Client(addresses, export, {})
        for turn in range(6):
            if (number, turn) == (0, 2):
                servers[0].process.kill()
            which = (number + turn) % len(payloads)
            found, *_ = client.ask(payloads[which], time.monotonic() + 60)
            np.testing.assert_allclose(found, logits[which], atol=1e-5)
        client.close()
        return 6

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(ask, range(16))) == 96
    assert b"isplit_requests_total 0.0" not in servers[1].http("/metrics")[1]


def test_addresses_that_are_none(export_folder):
    from isplit_edge import Device

    with pytest.raises(ValueError, match=r"server='nowhere.invalid:1' is no HOST:PORT with IPv4"):
        Device(export_folder, ["127.0.0.1:1", "nowhere.invalid:1"])
    for address in ("127.0.0.1", "http://127.0.0.1:1", ":1", "host:name", "host:65536", "host:0"):
        with pytest.raises(ValueError, match=f"server='{address}' is no HOST:PORT"):
            Device(export_folder, address)
    for deadline_s in (0, math.inf, math.nan):
        with pytest.raises(ValueError, match=f"deadline_s={deadline_s} is no number above 0"):
            Device(export_folder, "127.0.0.1:1", deadline_s=deadline_s)
    with pytest.raises(ValueError, match=r"tls needs ca, and cert and key together"):
        Device(export_folder, "127.0.0.1:1", tls={"cert": "x"})


@pytest.fixture
def certificates(tmp_path):
    """An authority, and what it signed: for the server at localhost, and for a client."""
    if not shutil.which("openssl"):
        pytest.skip("openssl makes the certificates")
    run = {"cwd": tmp_path, "check": True, "capture_output": True}
    new = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj"]
    extra = ["-addext", "basicConstraints=critical,CA:TRUE"]
    made = [*new, "/CN=authority", "-x509", "-keyout", "ca.key", "-out", "ca.pem", *extra]
    subprocess.run(made, **run)
    (tmp_path / "names").write_text("subjectAltName=DNS:localhost")
    for name in ("server", "client"):
        made = [*new, f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr"]
        subprocess.run(made, **run)
        sign = ["openssl", "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem"]
        sign += ["-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names", "-out", f"{name}.pem"]
        subprocess.run(sign, **run)
    return tmp_path


def test_encrypted_and_only_for_clients_with_a_certificate(export_folder, certificates, pixels):
    from isplit_edge import Device

    at = {name: certificates / name for name in ("ca.pem", "server.pem", "server.key")}
    words = ["--tls-cert", at["server.pem"], "--tls-key", at["server.key"]]
    server = Server(export_folder, *words, "--tls-clients", at["ca.pem"])
    where, trusted = f"localhost:{server.port}", {"ca": at["ca.pem"]}
    own = {name: certificates / f"client.{end}" for name, end in (("cert", "pem"), ("key", "key"))}
    with Device(export_folder, where, deadline_s=20, tls=trusted | own) as device:
        assert device.answer(pixels[0]).where == "server"
    for tls in (trusted, None):  # no certificate of its own; no encryption
        bare = Device(export_folder, where, deadline_s=1, tls=tls, fallback=False)
        with bare as device, pytest.raises(TimeoutError, match="no answer in time"):
            device.answer(pixels[0])
    ask = ["curl", "-sf", "--cacert", at["ca.pem"], "--cert", own["cert"], "--key", own["key"]]
    if shutil.which("curl"):
        url = f"https://localhost:{server.rest}/v2/health/ready"
        assert b"true" in subprocess.run([*ask, url], capture_output=True, check=True).stdout
    server.stop()


def test_certificates_and_exports_that_do_not_go_together(export_folder, capsys):
    from isplit.deploy.__main__ import main

    assert main(["serve", os.fspath(export_folder), "--tls-cert", "x"]) == 1
    assert "--tls-cert and --tls-key are needed together" in capsys.readouterr().err
    assert main(["serve", *[os.fspath(export_folder)] * 2]) == 1
    assert "two exports have one name" in capsys.readouterr().err


def test_one_server_for_several_exports(design_folder, server, pixels, sent):
    from isplit_edge.server import Server as Client

    for folder in sorted(design_folder.iterdir()):
        export = read_export(folder, [])
        code = run(session(folder / HEAD), pixels[:1])
        client = Client([f"127.0.0.1:{server.port}"], export, {})
        payload = codec_of(export, folder).encode(code)[0]
        found, _, server_s = client.ask(payload, time.monotonic() + 60)
        expected = run(session(folder / TAIL), codec_of(export, folder).decode([payload]))
        np.testing.assert_allclose(found, expected[0], atol=1e-5)
        assert 0 < server_s < 60


def test_the_container_for_kserve(export_folder, tmp_path, sent):
    """Its entry point as a process, from its folder; no Docker and no Kubernetes run here."""
    from isplit_edge.server import Server as Client

    write_kserve(export_folder, tmp_path)
    write_kserve(export_folder, tmp_path)  # the same command twice
    text = (tmp_path / "Dockerfile").read_text()
    copied = re.findall(r"^COPY (\S+) ", text, re.M)
    assert all((tmp_path / name).exists() for name in copied)
    python, *entry = json.loads(re.search(r"^ENTRYPOINT (.*)$", text, re.M)[1])
    assert python == "python"
    server = Server(entry=entry, cwd=tmp_path, **UNCOMPILED)
    client = Client([f"127.0.0.1:{server.port}"], read_export(export_folder, []), {})
    found, *_ = client.ask(sent[0][0], time.monotonic() + 60)
    np.testing.assert_allclose(found, sent[1][0], atol=1e-5)
    about = yaml.safe_load((tmp_path / "inference_service.yaml").read_text())
    (container,) = about["spec"]["predictor"]["containers"]
    for probe in ("readinessProbe", "livenessProbe"):
        assert server.http(container[probe]["httpGet"]["path"])[0] == 200
    server.stop()


def test_the_inference_service_has_the_fields_of_the_documentation(export_folder, tmp_path):
    write_kserve(export_folder, tmp_path)
    about = yaml.safe_load((tmp_path / "inference_service.yaml").read_text())
    assert about["apiVersion"] == "serving.kserve.io/v1beta1"
    assert about["kind"] == "InferenceService"
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,61}[a-z0-9]", about["metadata"]["name"])
    predictor = about["spec"]["predictor"]
    assert 1 <= predictor["minReplicas"] < predictor["maxReplicas"]
    assert (predictor["scaleMetric"], type(predictor["scaleTarget"])) == ("cpu", int)
    (container,) = predictor["containers"]
    assert container["name"] == "kserve-container"
    assert container["ports"] == [{"name": "h2c", "containerPort": 8001, "protocol": "TCP"}]


def test_the_container_needs_what_the_extra_serve_needs(export_folder, tmp_path):
    write_kserve(export_folder, tmp_path)
    found = set((tmp_path / "requirements.txt").read_text().split())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {*project["dependencies"], *project["optional-dependencies"]["serve"]}
    assert found >= set(project["optional-dependencies"]["serve"])
    assert found <= wanted


def test_the_model_repository_of_triton(export_folder, tmp_path):
    write_triton(export_folder, tmp_path)
    export, configs = read_export(export_folder, []), {}
    for path in sorted(tmp_path.glob("*/config.pbtxt")):
        configs[path.parent.name] = text_format.Parse(
            path.read_text(), model_config_pb2.ModelConfig()
        )
        assert configs[path.parent.name].name == path.parent.name
        assert (path.parent / "1").is_dir()
    whole, decode, tail = (configs[export.name + end] for end in ("", "-decode", "-tail"))
    steps = [step.model_name for step in whole.ensemble_scheduling.step]
    assert steps == [decode.name, tail.name]
    assert whole.input == decode.input
    assert list(decode.output[0].dims) == [1, *export.code_shape]
    assert list(tail.input[0].dims) == [*export.code_shape]
    assert list(whole.output[0].dims) == [1, *tail.output[0].dims] == [1, 10]
    assert tail.HasField("dynamic_batching")
    assert (tmp_path / tail.name / "1" / tail.default_model_filename).is_file()


PROGRAM = """
import sys, pathlib
sys.path[:0] = [sys.argv[1], sys.argv[2]]
import model, numpy
twin = model.TritonPythonModel()
folder = pathlib.Path(sys.argv[1])
twin.initialize({"model_repository": str(folder.parent), "model_version": folder.name})
payloads = [numpy.load(path) for path in sorted(pathlib.Path(sys.argv[2]).glob("*.npy"))]
answers = twin.execute([{"payload": payload} for payload in payloads])
assert str(answers.pop().error), "the last is none"
numpy.save(sys.argv[3], numpy.concatenate([answer.outputs[0].value for answer in answers]))
heavy = [name for name in ("torch", "onnxruntime") if name in sys.modules]
print(model.decoded.__code__.co_filename, *heavy)
"""
STAND_IN = '''
"""As much of Triton's module as the model uses: it exists only inside of the server."""
class Tensor:
    def __init__(self, name, value): self.name, self.value = name, value
    def as_numpy(self): return self.value
class TritonError(str):
    INVALID_ARG = 3
    def __new__(cls, why, code): return str.__new__(cls, why)
class InferenceResponse:
    def __init__(self, outputs=(), error=None): self.outputs, self.error = outputs, error
def get_input_tensor_by_name(request, name): return Tensor(name, request[name])
'''


def test_the_decoding_model_of_triton_by_itself(export_folder, tmp_path, sent):
    """From its own folder, in a process that has no other isplit."""
    write_triton(export_folder, tmp_path / "models")
    export, work = read_export(export_folder, []), tmp_path / "work"
    work.mkdir()
    (work / "triton_python_backend_utils.py").write_text(STAND_IN)
    payloads = [*sent[0], sent[0][0][:-1]]
    for number, payload in enumerate(payloads):
        np.save(work / f"{number:03}.npy", np.frombuffer(payload, np.uint8))
    folder = tmp_path / "models" / f"{export.name}-decode" / "1"
    words = [sys.executable, "-c", PROGRAM, folder, work, tmp_path / "codes.npy"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | UNCOMPILED
    ran = subprocess.run(words, capture_output=True, text=True, cwd=work, env=environment)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == os.fspath(folder / "isplit" / "deploy" / "manifest.py")
    expected = codec_of(export, export_folder).decode(sent[0])
    np.testing.assert_array_equal(np.load(tmp_path / "codes.npy"), expected)


def test_the_command_writes_int8_and_the_files_for_both(run_folder, tmp_path, written_nets):
    pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    import onnx

    from isplit.deploy.__main__ import main

    places = [f"--{kind}={tmp_path / kind}" for kind in ("kserve", "triton")]
    words = ["export", run_folder, "--out", tmp_path / "out", "--images", 20, "--int8", *places]
    assert main([*map(str, words)]) == 0
    checked = read_export(tmp_path / "out", ["head.onnx", "tail.onnx", "net.onnx"]).checked
    assert checked["float32"]["largest_difference"] < 1e-5 < checked["largest_difference"] < 0.5
    assert "Numbers of head and tail: int8" in (tmp_path / "out" / "README.md").read_text()
    for name in ("head.onnx", "tail.onnx"):
        weights = {one.data_type for one in onnx.load(tmp_path / "out" / name).graph.initializer}
        assert onnx.TensorProto.INT8 in weights
    assert (tmp_path / "kserve" / "Dockerfile").is_file()
    assert (tmp_path / "triton" / "tiny-net-mid-tail" / "1" / "tail.onnx").is_file()


def test_a_camera(export_folder, tmp_path, capsys, monkeypatch):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    from isplit_edge.__main__ import main

    video = tmp_path / "v.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"MJPG"), 5, (48, 40))
    for shade in (0, 100, 200):
        writer.write(np.full((40, 48, 3), shade, np.uint8))
    writer.release()
    assert main(["run", str(export_folder), "--camera", str(video)]) == 0
    assert [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()] == [
        "frame 0",
        "frame 1",
        "frame 2",
    ]
    assert main(["run", str(export_folder), "--camera", str(tmp_path / "none.avi")]) == 1
    assert "has no frames" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert main(["run", str(export_folder), "--camera", "0"]) == 1
    assert "--camera needs OpenCV" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("serve x --port 99999", "--port: 99999 is no whole number from 0 to 65535"),
        ("serve x --rest-port -1", "--rest-port: -1 is no whole number from 0 to 65535"),
        ("serve x --threads 0", "--threads: 0 is no whole number from 1 to 1024"),
        ("serve x --queue 1.5", "--queue: 1.5 is no whole number from 1 to 1000000"),
        ("export x --bits 9", "--bits: 9 is no whole number from 1 to 8"),
        ("export x --images 0", "--images: 0 is no whole number from 1 to 1000000"),
    ],
)
def test_numbers_out_of_their_range_are_refused(words, said, capsys):
    from isplit.deploy.__main__ import main

    with pytest.raises(SystemExit, match="2"):
        main(words.split())
    assert said in capsys.readouterr().err
