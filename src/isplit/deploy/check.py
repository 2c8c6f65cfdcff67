"""What the files of an export answer, beside what torch does."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isplit.codec import Codec
from isplit.data import ImageData
from isplit.deploy.manifest import HEAD, NET, TAIL, run, session
from isplit.model import SplitModel

BATCH = 64  # images that are answered together


@torch.no_grad()
def compared(
    split: SplitModel, codec: Codec, data: ImageData, images: int, out: Path
) -> dict[str, Any]:
    """Files and torch on test images: labels behind the codec, and the largest difference of all.

    ``accuracy`` is that behind the codec, ``accuracy_whole`` that of ``net.onnx``.

    Args:
        images: of the test set.
        out: folder of the files.
    """
    head, tail, net = map(session, (out / HEAD, out / TAIL, out / NET))
    rows: list[tuple[bool, ...]] = []  # of an image: the label is torch's; right; the net's; bytes
    worst = 0.0
    for x, y in data.loader("test", BATCH, images=images):
        pixels = pixels_of(x, data)
        code, found = split.encode(x).numpy(), run(head, pixels)
        payloads = codec.encode(found)
        sent, expected = (torch.from_numpy(codec.decode(p)) for p in (payloads, codec.encode(code)))
        logits, twin = run(tail, sent.numpy()), split.decode(sent).numpy()
        whole = run(net, pixels)
        for a, b in ((found, code), (logits, twin), (whole, split(x).numpy())):
            worst = max(worst, float(np.abs(a - b).max() / np.abs(b).max()))
        labels, torchs = logits.argmax(1), split.decode(expected).argmax(1).numpy()
        right = (labels == torchs, *(found == y.numpy() for found in (labels, whole.argmax(1))))
        rows += zip(*right, map(len, payloads), strict=True)
    equal, right, whole, size = np.array(rows, float).T
    counts = {"images": len(rows), "labels_equal": int(equal.sum())}
    columns = {"accuracy": right, "accuracy_whole": whole, "payload_bytes_mean": size}
    means = {name: float(column.mean()) for name, column in columns.items()}
    return counts | means | {"largest_difference": worst}


def pixels_of(x: Tensor, data: ImageData) -> Any:
    """Uint8 (N, H, W, 3) of images as the net takes them."""
    mean, std = (
        torch.tensor(c).view(3, 1, 1) for c in (data.preparation.mean, data.preparation.std)
    )
    return ((x * std + mean) * 255).round().byte().permute(0, 2, 3, 1).contiguous().numpy()
