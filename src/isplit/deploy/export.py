"""A finished run as files that need no torch: ONNX, weights, codec profile, manifest, model card.

Legend: N images, H W pixels of an image.
"""

import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.compose
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.export import Dim
from torch.nn.functional import interpolate

from isplit import config
from isplit.artifact import load_split_model
from isplit.codec import Codec, calibrate, from_config
from isplit.data import ImageData
from isplit.deploy.manifest import HEAD, MANIFEST, NET, PROFILE, TAIL, Export, run, session, sha256
from isplit.documents import read_json
from isplit.files import write_json, write_text
from isplit.model import SplitModel
from isplit.studies.run_folder import job_folder, read_config

WEIGHTS, CARD = "split_model.safetensors", "README.md"
OLDER = {"fit": "stretch", "background": "white"}  # what a key that was not written meant
PREPROCESSING = ("image_size", "fit", "background", "mean", "std")
BATCH, CALIBRATION_IMAGES = 64, 500
USUAL_CODEC = {"name": "ans", "bits": 4}
TOLERANCE = 1e-3  # of the largest value; other orders of adding make 1e-6
Settings = Mapping[str, Any] | None


def export(
    folder: Path, out: Path, codec: Settings = None, images: int = 500, net: nn.Module | None = None
) -> Export:
    """What was written into ``out``; the manifest comes last: without it there is no export.

    Args:
        folder: of a finished run, whose images are where it found them.
        out: made where it is missing.
        codec: settings as of :func:`isplit.codec.from_config`, calibrated on validation images;
            ``None``: the run's own, or ``ans`` with 4 bits.
        images: of the test set, on which the files are compared with torch.
        net: as of :func:`isplit.artifact.load_split_model`.

    Raises:
        ValueError: the folder holds no run, its net cannot be exported, or the files answer
            otherwise than torch does.
    """
    split, result = load_split_model(folder, net), read_json(folder / "result.json")
    keys = OLDER | read_config(job_folder(folder))["data"] | {"download": False}
    data = config.build_data(OmegaConf.create({"data": keys}))
    out.mkdir(parents=True, exist_ok=True)
    (out / MANIFEST).unlink(missing_ok=True)
    code_shape, sender = _write_nets(split, data, out), _sender(split, codec, data)
    if sender.profile:
        sender.profile.save(out / PROFILE)
    shutil.copyfile(folder / WEIGHTS, out / WEIGHTS)
    made = Export(
        name=re.sub(r"[^\w.-]+", "-", f"{result['model']}-{result['split']['label']}"),
        class_names=data.class_names,
        preprocessing={key: keys[key] for key in PREPROCESSING},
        code_shape=code_shape,
        codec=sender.get_config(),
        profile=sender.profile.digest.hex() if sender.profile else None,
        checked=_compared(split, sender, data, images, out),
    )
    card = Path(__file__).with_name("card.md").read_text(encoding="utf-8")
    about = vars(made) | result | result["accuracy"] | made.checked
    write_text(out / CARD, card.format(**about))
    names = [HEAD, TAIL, NET, WEIGHTS, CARD, *([PROFILE] if sender.profile else [])]
    made = replace(made, files={name: sha256(out / name) for name in names})
    write_json(out / MANIFEST, asdict(made))
    return made


class _Pixels(nn.Module):
    """Uint8 (N, H, W, 3) as the net takes images."""

    def __init__(self, data: ImageData) -> None:
        super().__init__()
        self.size, self.normalised = (data.image_size,) * 2, data.preparation.normalised

    def forward(self, pixels: Tensor) -> Tensor:
        images = pixels.permute(0, 3, 1, 2).float()
        images = interpolate(images, self.size, mode="bilinear", antialias=True)
        return self.normalised(images.round())  # training saw pixels of 8 bits


def _write_nets(split: SplitModel, data: ImageData, out: Path) -> tuple[int, ...]:
    """The shape of a sample's code; batches, heights and widths of pixels are free."""
    head = nn.Sequential(_Pixels(data), split.head, split.bottleneck.encoder).eval()
    tail = nn.Sequential(split.bottleneck.decoder, split.tail).eval()
    pixels = torch.zeros(2, data.image_size + 1, data.image_size + 2, 3, dtype=torch.uint8)
    with torch.no_grad():
        code = head(pixels)
    _write(head, pixels, {0: Dim("N"), 1: Dim("H"), 2: Dim("W")}, out / HEAD, "pixels", "code")
    _write(tail, code, {0: Dim("N")}, out / TAIL, "code", "logits")
    parts = onnx.load(out / HEAD), onnx.load(out / TAIL)
    onnx.save(onnx.compose.merge_models(*parts, [("code", "code")], prefix2="tail/"), out / NET)
    return tuple(code.shape[1:])


def _write(part: nn.Module, x: Tensor, free: dict[int, Any], path: Path, *names: str) -> None:
    how: dict[str, Any] = {"input_names": names[:1], "output_names": names[1:]}
    how |= {"dynamic_shapes": (free,), "dynamo": True, "verbose": False, "external_data": False}
    try:
        torch.onnx.export(part, (x,), path, **how)
    except Exception as error:  # whatever a net makes the exporter raise
        raise ValueError(f"{path.name} cannot be exported: {str(error)[:500]}") from error


def _sender(split: SplitModel, settings: Settings, data: ImageData) -> Codec:
    """The codec that was asked for, calibrated; or the run's own as it is."""
    own: Codec | None = getattr(split, "codec", None)
    if own and settings is None:
        return own
    codec, batches = from_config(settings or USUAL_CODEC), data.loader("validation", BATCH)
    with torch.no_grad():
        codes = np.concatenate([split.encode(x).numpy() for x, _ in batches])
    return codec.bound(calibrate(codec, codes[:CALIBRATION_IMAGES]))


@torch.no_grad()
def _compared(
    split: SplitModel, codec: Codec, data: ImageData, images: int, out: Path
) -> dict[str, Any]:
    """Files and torch on test images: labels behind the codec, and the largest difference of all.

    Raises:
        ValueError: a difference is larger than what runtimes differ by.
    """
    (head, tail, net), how = map(session, (out / HEAD, out / TAIL, out / NET)), data.preparation
    mean, std = (torch.tensor(c).view(3, 1, 1) for c in (how.mean, how.std))
    rows: list[tuple[bool, bool, int]] = []  # of an image: the label is torch's; is right; bytes
    worst = 0.0
    for x, y in data.loader("test", BATCH, images=images):
        pixels = ((x * std + mean) * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
        code, found = split.encode(x).numpy(), run(head, pixels)
        payloads = codec.encode(found)
        sent, expected = (torch.from_numpy(codec.decode(p)) for p in (payloads, codec.encode(code)))
        logits, twin = run(tail, sent.numpy()), split.decode(sent).numpy()
        for a, b in ((found, code), (logits, twin), (run(net, pixels), split(x).numpy())):
            worst = max(worst, float(np.abs(a - b).max() / np.abs(b).max()))
        labels, torchs = logits.argmax(1), split.decode(expected).argmax(1).numpy()
        rows += zip(labels == torchs, labels == y.numpy(), map(len, payloads), strict=True)
    if not worst <= TOLERANCE:
        raise ValueError(f"the files differ from torch by {worst:.1e} of the largest value")
    equal, right, size = np.array(rows, float).T
    counts = {"images": len(rows), "labels_equal": int(equal.sum())}
    means = {"accuracy": float(right.mean()), "payload_bytes_mean": float(size.mean())}
    return counts | means | {"largest_difference": worst}
