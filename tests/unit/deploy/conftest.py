"""One export for all tests of the room: a tiny net, split, with weights that nobody trained."""

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from isplit.artifact import Manifest, save_split_model
from isplit.backbones import build_backbone, stored_layout
from isplit.bottleneck import make_bottleneck
from isplit.deploy.manifest import HEAD, MANIFEST, NET, TAIL, codec_of, read_export, run, session
from isplit.graph import split_at, split_points, trace
from isplit.model import SplitModel

ROOT = Path(__file__).parents[3]
SIDE = 32
DATA = ("data=letters_easy", f"data.image_size={SIDE}", "data.train_images=60")
KEYS = {
    **{"name": "vgg16", "num_classes": 10, "image_size": SIDE, "width": 1 / 16},
    **{"weights": None, "weights_key": None, "head": None, "batch_norm": True},
    **{"stem": "auto", "dropout": None, "arch": None},
}


def write_run(folder: Path) -> None:
    """What an export reads of a finished run."""
    folder.mkdir(parents=True)
    torch.manual_seed(0)
    net = build_backbone(**KEYS).eval()
    traced = trace(net, torch.zeros(2, 3, SIDE, SIDE))
    point = split_points(traced)[5]
    head, tail = split_at(traced, point)
    split = SplitModel(head, make_bottleneck(point, 0.5), tail).eval()
    where = (f"paths.root={folder}", f"paths.output={folder}", f"paths.data={folder / 'data'}")
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("train", [*DATA, "data.test_images=40", *where])
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(cfg, resolve=True))
    (folder / "curve.json").write_text("{}")
    accuracy = {"baseline": 0.1, "after_finetune": 0.1, "test_images": 40}
    about = {"model": "tiny net", "data": "letters", "split": {"label": "mid"}}
    (folder / "result.json").write_text(json.dumps(about | {"accuracy": accuracy}))
    manifest = Manifest(
        model=stored_layout(KEYS, net.state_dict()),
        layer=point.name,
        granularity="layer",
        compression_rate=0.5,
        class_names=tuple("ABCDEFGHIJ"),
        image_size=SIDE,
        mean=tuple(cfg.data.mean),
        std=tuple(cfg.data.std),
    )
    save_split_model(split, manifest, folder)


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("deploy") / "run"
    write_run(folder)
    return folder


@pytest.fixture(scope="session")
def export_folder(run_folder, tmp_path_factory):
    pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    from isplit.deploy.__main__ import main

    out = tmp_path_factory.mktemp("deploy") / "export"
    assert main(["export", os.fspath(run_folder), "--out", os.fspath(out), "--images", "20"]) == 0
    return out


@pytest.fixture
def written_nets(export_folder, monkeypatch):
    """An export writes the nets that are there: making them of torch takes most of its time."""
    from isplit.deploy import export

    def write_nets(split, data, out):
        for name in (HEAD, TAIL):
            shutil.copyfile(export_folder / name, out / name)
        return read_export(export_folder, []).code_shape

    monkeypatch.setattr(export, "write_nets", write_nets)


def renamed(folder, out, **about):
    """A copy of an export whose manifest says something else."""
    shutil.copytree(folder, out)
    content = json.loads((out / MANIFEST).read_text())
    checked = content["checked"] | about.pop("checked", {})
    (out / MANIFEST).write_text(json.dumps(content | about | {"checked": checked}))


@pytest.fixture(scope="session")
def design_folder(export_folder, tmp_path_factory):
    """A set of two designs: the export, and one that sends its code as it is, 14 times as much."""
    folder = tmp_path_factory.mktemp("deploy") / "designs"
    whole = {"accuracy_whole": 0.5}
    renamed(export_folder, folder / "small", checked=whole | {"accuracy": 0.7})
    big = {"name": "big", "codec": {"name": "plain"}, "profile": None}
    big["checked"] = whole | {"accuracy": 0.9, "payload_bytes_mean": 1060.0}
    renamed(export_folder, folder / "big", **big)
    return folder


@pytest.fixture(scope="session")
def server(design_folder):
    """One server of both, for all tests that do it no harm; SIGTERM ends it in order."""
    from serving import Server

    server = Server(design_folder, entry=("-m", "isplit", "serve"))
    yield server
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=30) == 0
    server.process.communicate()


@pytest.fixture(scope="session")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def sent(export_folder, pixels):
    """Payloads, and the logits that the files give without any server."""
    export = read_export(export_folder, [HEAD, TAIL, NET])
    codec = codec_of(export, export_folder)
    payloads = codec.encode(run(session(export_folder / HEAD), pixels))
    return payloads, run(session(export_folder / TAIL), codec.decode(payloads))
