"""The codec's stage: nothing is trained, the code of every test image is sent for real."""

import math
from dataclasses import asdict
from pathlib import Path

import torch

from isplit.codec import calibrate, from_config
from isplit.model import SplitModel
from isplit.point import SplitPoint
from isplit.stages.sending import Sending, Wire
from isplit.stages.stored import Made, Stored
from isplit.stages.workbench import Workbench

SENT_BY = (Sending, Wire, from_config)


def coded(
    bench: Workbench, split: SplitModel, point: SplitPoint, before: Stored, sending: Sending
) -> Stored:
    """What the finished split model answers when the code of every test image is sent for real.

    Args:
        before: the stage that the weights of ``split`` are of.
    """

    def make(folder: Path) -> Made:
        wire = wire_of(bench, split, sending)
        with split.bottleneck.encoder.register_forward_hook(wire):
            test = bench.test(split)
        elements = math.prod(split.bottleneck.code_shape)
        about = asdict(wire.measured(elements, sending.calibration_images))
        profile = wire.codec.profile and wire.codec.profile.to_json()
        return Made({}, {"history": [], "test": test, "codec": about, "profile": profile})

    inputs = {"before": before.fingerprint, "node": point.node, "sent": asdict(sending)}
    what = bench.recipe("codec", None, SENT_BY, **inputs)
    return bench.store.get_or_make("codec", what, make)


@torch.no_grad()
def wire_of(bench: Workbench, split: SplitModel, sending: Sending) -> Wire:
    """Its codec is bound to a profile of the codes of training images if it is to have one."""
    if sending.calibration_images is None:
        return Wire(sending.codec)
    images, device = bench.images("train", sending.calibration_images), bench.engine.device
    encode = split.eval().to(device).encode
    codes = torch.cat([encode(batch.to(device)).cpu() for batch, _ in images])
    return Wire(sending.codec.bound(calibrate(sending.codec, codes)))
