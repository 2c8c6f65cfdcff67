"""A finished run as files that need no torch: nets, codec profile, manifest, model card."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from torch import nn

from isplit import config
from isplit.artifact import load_split_model
from isplit.codec import Codec, calibrate, from_config
from isplit.data import ImageData
from isplit.deploy.manifest import HEAD, MANIFEST, NET, PROFILE, TAIL, Export, run, session
from isplit.deploy.nets import BATCH, compared, join_nets, pixels_of, quantise, write_nets
from isplit.documents import read_json
from isplit.files import sha256, write_json, write_text
from isplit.model import SplitModel
from isplit.studies.run_folder import job_folder, read_config

WEIGHTS, CARD = "split_model.safetensors", "README.md"
OLDER = {"fit": "stretch", "background": "white"}  # what a key that was not written meant
PREPROCESSING = ("image_size", "fit", "background", "mean", "std")
CALIBRATION_IMAGES = 500
USUAL_CODEC: dict[str, Any] = {"name": "ans", "bits": 4}
TOLERANCE = 1e-3  # of the largest value; other orders of adding make 1e-6
Settings = Mapping[str, Any] | None


def export(
    folder: Path,
    out: Path,
    codec: Settings = None,
    images: int = 500,
    net: nn.Module | None = None,
    *,
    int8: bool = False,
    name: str | None = None,
) -> Export:
    """What was written into ``out``; the manifest comes last: without it there is no export.

    Args:
        folder: of a finished run, whose images are where it found them.
        out: made where it is missing.
        codec: settings as of :func:`isplit.codec.from_config`, calibrated on validation images;
            without a name they are for the run's own codec, or ``ans`` with 4 bits; ``None``: that.
        images: of the test set, on which the files are compared with torch.
        net: as of :func:`isplit.artifact.load_split_model`.
        int8: head and tail in whole numbers of 8 bits, calibrated on training images.
        name: of the model; ``None``: as of :func:`name_of`.

    Raises:
        ValueError: the folder holds no run, its net cannot be exported, or the files answer
            otherwise than torch does.
    """
    split, result = load_split_model(folder, net), read_json(folder / "result.json")
    keys = OLDER | read_config(job_folder(folder))["data"] | {"download": False}
    data = config.build_data(OmegaConf.create({"data": keys}))
    sender = _sender(split, codec, data)
    out.mkdir(parents=True, exist_ok=True)
    (out / MANIFEST).unlink(missing_ok=True)
    code_shape = write_nets(split, data, out)
    join_nets(out)
    checked = compared(split, sender, data, images, out)
    if not (worst := checked["largest_difference"]) <= TOLERANCE:
        raise ValueError(f"the files differ from torch by {worst:.1e} of the largest value")
    if int8:
        _quantise(sender, data, out)
        checked = compared(split, sender, data, images, out) | {"float32": checked}
    if sender.profile:
        sender.profile.save(out / PROFILE)
    shutil.copyfile(folder / WEIGHTS, out / WEIGHTS)
    made = Export(
        name=name or name_of(folder),
        class_names=data.class_names,
        preprocessing={key: keys[key] for key in PREPROCESSING},
        code_shape=code_shape,
        codec=sender.get_config(),
        profile=sender.profile.digest.hex() if sender.profile else None,
        checked=checked,
    )
    return _written(made, result, out)


def _written(made: Export, result: Mapping[str, Any], out: Path) -> Export:
    """The export with the digests of its files; writes its card and, last, the manifest."""
    exact = made.checked.get("float32")
    numbers = f"int8; the same nets in float32: {exact}" if exact else "float32"
    card = Path(__file__).with_name("card.md").read_text(encoding="utf-8")
    about = {**vars(made), **result, **result["accuracy"], **made.checked}
    write_text(out / CARD, card.format(**about, numbers=numbers))
    names = [HEAD, TAIL, NET, WEIGHTS, CARD, *([PROFILE] if made.profile else [])]
    made = replace(made, files={name: sha256(out / name) for name in names})
    write_json(out / MANIFEST, asdict(made))
    return made


def name_of(folder: Path) -> str:
    """What the export of a run is called: its net and where that is split."""
    result = read_json(folder / "result.json")
    return re.sub(r"[^\w.-]+", "-", f"{result['model']}-{result['split']['label']}")


def _sender(split: SplitModel, settings: Settings, data: ImageData) -> Codec:
    """The codec that was asked for, calibrated; or the run's own as it is."""
    own: Codec | None = getattr(split, "codec", None)
    if own and settings is None:
        return own
    usual = own.get_config() if own else USUAL_CODEC
    asked = settings or {}
    codec = from_config(asked if "name" in asked else {**usual, **asked})
    batches = data.loader("validation", BATCH, images=CALIBRATION_IMAGES)
    with torch.no_grad():
        codes = np.concatenate([split.encode(x).numpy() for x, _ in batches])
    bound = codec.bound(calibrate(codec, codes))
    bound.encode(codes[:1])  # what it cannot send is said before anything is written
    return bound


def _quantise(codec: Codec, data: ImageData, out: Path) -> None:
    """Head and tail in int8; the tail is calibrated on what the codec leaves of the head's code."""
    batches = data.loader("train", BATCH, images=CALIBRATION_IMAGES)
    pixels = [pixels_of(x, data) for x, _ in batches]
    quantise(out / HEAD, "pixels", pixels)
    head = session(out / HEAD)
    codes = [codec.decode(codec.encode(run(head, batch))) for batch in pixels]
    quantise(out / TAIL, "code", codes)
    join_nets(out)
