"""What the features of a detector weigh, and what their coding costs: torchvision's detectors.

    pip install pycocotools
    python examples/detection_payload.py --model ssdlite320_mobilenet_v3_large --out FOLDER
    python examples/detection_payload.py --model fasterrcnn_mobilenet_v3_large_320_fpn --out FOLDER
    python examples/detection_payload.py --out FOLDER --coco IMAGES ANNOTATIONS.json

Without ``--coco`` a set of shapes is drawn. The detector is trained on a part of the set, starting
from nothing; it is cut at points of its backbone, and the features of test images go through the
codecs. The same command goes on where it was stopped, and does not train twice.

Legend: N images, C channels, S pixels a side, K boxes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from boxed_shapes import draw_set
from coco import Boxed, read_coco
from matplotlib.figure import Figure
from torch import Tensor, nn
from torchmetrics.detection import MeanAveragePrecision
from torchvision.models import detection

from isplit.codec import from_config
from isplit.files import replacing
from isplit.graph import split_at, split_points, trace
from isplit.point import SplitPoint
from isplit.report.canvas import plain
from isplit.report.findings import Drawing, Findings, write_findings
from isplit.report.page import write_report
from isplit.report.screen import say
from isplit.report.table import Column, Table
from isplit.studies.payload.cells import codecs_of

SSD, RCNN = "ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn"
FEW: dict[str, dict[str, Any]] = {  # of drawn images, which have a few objects
    SSD: {"score_thresh": 0.02, "detections_per_img": 30},
    RCNN: {
        "box_batch_size_per_image": 16,
        "box_positive_fraction": 0.5,
        "rpn_post_nms_top_n_train": 100,
        "rpn_post_nms_top_n_test": 20,
    },
}
RATES = {SSD: 2e-3, RCNN: 5e-4}
CODECS = ("quantize", "rle", "ans", "ans_channels")
BATCH = 8
GROUPS = 8  # of test images, for the error of a change
TOLERABLE = 0.01  # of mAP
USEFUL = 0.3  # mAP50 of the unsplit net, below which changes say nothing
Boxes = dict[str, Tensor]
COLUMNS = (
    Column("point", "cut after", screen=1),
    Column("shape", screen=7),
    Column("ranges", screen=2),
    Column("bits", screen=1),
    Column("map50", "mAP50", form=".3f", screen=3),
    Column("change50", "change", "points", "+.1f", 100, screen=5),
    Column("map", "mAP50-95", form=".3f", screen=3),
    Column("change", "change", "points", "+.1f", 100, screen=2),
    Column("error", "± 1 s.e.", "points", ".1f", 100, screen=2),
    *(Column(f"{name}_bytes", name, "bytes", ",.0f", screen=4) for name in CODECS),
    Column("smallest", "smallest is", screen=6),
    Column("of_float32", "smallest", "of float32", ".3f", screen=6),
    Column("of_jpeg", "smallest", "of JPEG", ".2f", screen=6),
)
NOTE = (
    "Bytes of an image as sent, header and checksum included; ranges: lowest and highest value of "
    "each image's tensor, or of each channel on calibration images, without which there is no "
    "ans_channels (contexts of channels sent before). Changes are against the "
    "unsplit net on the same images, their errors from eight groups of these."
)


@dataclass(frozen=True)
class Part:
    """Images uint8 (N, 3, S, S) and what is in each."""

    pixels: Tensor
    truth: list[Boxes]

    def images(self) -> list[Tensor]:
        """As torchvision's detectors take them."""
        return list(self.pixels.float() / 255)


class FlatMaps(nn.Module):
    """A backbone whose maps come as one vector an image, as ``trace`` wants it; and back."""

    def __init__(self, backbone: nn.Module, example: Tensor) -> None:
        super().__init__()
        self.backbone = backbone
        with torch.no_grad():
            self.shapes = {name: tuple(m.shape[1:]) for name, m in backbone(example).items()}

    def forward(self, images: Tensor) -> Tensor:
        """All maps of an image in a row."""
        return torch.cat([m.flatten(1) for m in self.backbone(images).values()], 1)

    def maps(self, flat: Tensor) -> dict[str, Tensor]:
        """The maps by name again."""
        parts = flat.split([int(np.prod(shape)) for shape in self.shapes.values()], 1)
        named = zip(self.shapes.items(), parts, strict=True)
        return {name: part.reshape(-1, *shape) for (name, shape), part in named}


class Received(nn.Module):
    """Stands for the backbone on the server: what arrived goes through the tail, no image does."""

    def __init__(self, tail: nn.Module, flat: FlatMaps) -> None:
        super().__init__()
        self.tail, self.flat, self.features = tail, flat, torch.empty(0)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """The maps that the tail makes of what arrived."""
        return self.flat.maps(self.tail(self.features))


class SplitDetector:
    """A detector cut at points of its backbone; images all have S pixels a side."""

    def __init__(self, net: nn.Module, side: int) -> None:
        self.net: Any = net.eval()
        example = torch.zeros(2, 3, side, side)
        self.flat = FlatMaps(net.backbone, example)  # type: ignore[arg-type]
        self.traced = trace(self.flat, example)
        self.points = split_points(self.traced)

    @torch.inference_mode()
    def unsplit(self, images: Sequence[Tensor]) -> list[Boxes]:
        """What the net as it was finds."""
        return [found for some in _batches(images) for found in self.net(list(some))]

    @torch.inference_mode()
    def features(self, point: SplitPoint, images: Sequence[Tensor]) -> Any:
        """What the device sends of each image, (N, C, ...)."""
        head, _ = split_at(self.traced, point)
        ready = (self.net.transform(list(some))[0].tensors for some in _batches(images))
        return torch.cat([head(batch) for batch in ready]).numpy()

    @torch.inference_mode()
    def found(self, point: SplitPoint, features: Any, images: Sequence[Tensor]) -> list[Boxes]:
        """What the server finds in features; of the images it gets nothing but the sizes."""
        _, tail = split_at(self.traced, point)
        whole, self.net.backbone = self.net.backbone, Received(tail, self.flat)
        try:
            found = []
            arrived = _batches(torch.from_numpy(features))
            for some, sizes in zip(arrived, _batches(images), strict=True):
                self.net.backbone.features = some
                found += self.net([torch.zeros_like(image) for image in sizes])
            return found
        finally:
            self.net.backbone = whole


def main() -> None:
    """Draw or read, train, cut, code, and say what it came to."""
    options = _options()
    torch.set_num_threads(1)
    folder = options.out / options.model
    names, train, test = _parts(options)
    net = trained(options, folder, 1 + max(names), train)
    detector = SplitDetector(net, options.size)
    labels = [point.label for point in detector.points]
    print(f"{len(labels)} split points in the backbone: {', '.join(labels)}")
    few = np.linspace(0, len(labels) - 1, min(4, len(labels))).round().astype(int)
    chosen = options.points or [labels[k] for k in few]
    if strange := set(chosen) - set(labels):
        raise SystemExit(f"--points {' '.join(strange)}: none of {', '.join(labels)}")
    points = [point for point in detector.points if point.label in chosen]
    found = study(options, detector, points, train, test)
    write_findings(found, folder)
    write_report(folder, found)
    say(found)


def study(
    options: argparse.Namespace,
    detector: SplitDetector,
    points: Sequence[SplitPoint],
    train: Part,
    test: Part,
) -> Findings:
    """Rows of all points, ranges and bits, and what they say."""
    images = test.images()
    unsplit = detector.unsplit(images)
    scores = Scores(unsplit, test.truth)
    jpegs = from_config({"name": "jpeg", "quality": 90}).encode(test.pixels.numpy())
    about = {"images": len(images), "map50": scores.whole[0], "map": scores.whole[1]}
    about |= {"jpeg_bytes": _mean(jpegs), "unequal": 0}
    about["boxes"] = sum(len(found["boxes"]) for found in unsplit)
    print(
        f"unsplit on {len(images)} test images: mAP50 {scores.whole[0]:.3f}, mAP50-95 "
        f"{scores.whole[1]:.3f}; a JPEG of quality 90 has {about['jpeg_bytes']:,.0f} bytes"
    )
    known = Part(train.pixels[: options.calibration], []).images()
    rows: list[dict[str, Any]] = []
    for point in points:
        features, calibration = (detector.features(point, some) for some in (images, known))
        raw = detector.found(point, features, images)
        about["unequal"] += sum(not _same(a, b) for a, b in zip(raw, unsplit, strict=True))
        for ranges in options.ranges:
            for bits in options.bits:
                codecs = codecs_of(CODECS, ranges, bits, calibration)
                sent = {name: codec.encode(features) for name, codec in codecs.items()}
                decoded = [codecs[name].decode(payloads) for name, payloads in sent.items()]
                assert all(np.array_equal(other, decoded[0]) for other in decoded), codecs
                own = {"point": point.label, "shape": " x ".join(map(str, point.shape))}
                own |= {"ranges": ranges, "bits": bits}
                own |= scores.of(detector.found(point, decoded[0], images))
                own |= {f"{name}_bytes": _mean(payloads) for name, payloads in sent.items()}
                smallest = min(sent, key=lambda name: own[f"{name}_bytes"])
                least = own[f"{smallest}_bytes"]
                own |= {"smallest": smallest, "of_float32": least / point.feature_bytes}
                rows.append(own | {"of_jpeg": least / about["jpeg_bytes"]})
                print("{point} {ranges} {bits} bits: {map50:.3f} {map:.3f}".format(**own))
    return _findings(options, rows, about)


class Scores:
    """Mean average precision (mAP50, mAP50-95) beside that of the unsplit net."""

    def __init__(self, unsplit: list[Boxes], truth: list[Boxes]) -> None:
        self.truth = truth
        self.whole = mean_precision(unsplit, truth)
        self.parts = np.array(list(self._of_groups(unsplit)))

    def of(self, found: list[Boxes]) -> dict[str, float]:
        """Both, their changes, and the standard errors of these.

        An error is the standard deviation of the changes in G groups of images over sqrt(G).
        """
        now = mean_precision(found, self.truth)
        d = np.array(list(self._of_groups(found))) - self.parts
        errors = d.std(0, ddof=1) / np.sqrt(GROUPS)
        change50, change = (after - before for after, before in zip(now, self.whole, strict=True))
        values = {"map50": now[0], "change50": change50, "error50": float(errors[0])}
        return values | {"map": now[1], "change": change, "error": float(errors[1])}

    def _of_groups(self, found: list[Boxes]) -> Iterator[tuple[float, float]]:
        for group in range(GROUPS):
            yield mean_precision(found[group::GROUPS], self.truth[group::GROUPS])


def mean_precision(found: list[Boxes], truth: list[Boxes]) -> tuple[float, float]:
    """mAP50 and mAP50-95 by COCO's rules, NaN where there is nothing to find; crowds are none."""
    metric = MeanAveragePrecision()
    metric.update(found, truth)
    values = metric.compute()
    map50, both = (float(values[key]) for key in ("map_50", "map"))
    return (map50, both) if both >= 0 else (np.nan, np.nan)  # COCO says -1


def trained(options: argparse.Namespace, folder: Path, classes: int, train: Part) -> nn.Module:
    """The detector, trained for ``--epochs``; every epoch is kept in ``weights.pt``."""
    torch.manual_seed(options.seed)
    keys = {} if options.coco else FEW[options.model]
    build: Callable[..., Any] = getattr(detection, options.model)
    net = build(weights=None, weights_backbone=None, num_classes=classes, **keys)
    net.to(memory_format=torch.channels_last)  # a fifth faster to train
    net.transform.fixed_size = (options.size, options.size)
    steps = len(train.truth) // BATCH
    optimizer = torch.optim.AdamW(net.parameters(), RATES[options.model], weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATES[options.model], total_steps=max(1, options.epochs * steps), pct_start=0.2
    )
    kept = {"net": net, "optimizer": optimizer, "schedule": schedule}
    begin, file = 0, folder / "weights.pt"
    if file.exists():
        saved = torch.load(file, weights_only=True)
        before, asked, begin = saved.pop("asked"), _asked(options), saved.pop("epoch")
        if changed := [f"{key}={before[key]}" for key in asked if before[key] != asked[key]]:
            what = ", ".join(changed)
            raise SystemExit(f"{file} was trained with {what}: ask for the same or another --out")
        for name, state in saved.items():
            kept[name].load_state_dict(state)
    for epoch in range(begin, options.epochs):
        torch.manual_seed(options.seed + 1 + epoch)
        losses = [_step(net.train(), optimizer, schedule, train, b) for b in _order(train, steps)]
        spent = f"{time.process_time():.0f} s of CPU so far"
        print(
            f"epoch {epoch + 1} of {options.epochs}: loss {np.mean(losses):.3f}, {spent}",
            flush=True,
        )
        with replacing(file) as temporary:
            states = {name: part.state_dict() for name, part in kept.items()}
            torch.save(states | {"epoch": epoch + 1, "asked": _asked(options)}, temporary)
    return net.to(memory_format=torch.contiguous_format)


def _order(train: Part, steps: int) -> Sequence[Tensor]:
    return torch.randperm(len(train.truth))[: steps * BATCH].split(BATCH)


def _step(net: Any, optimizer: Any, schedule: Any, train: Part, chosen: Tensor) -> float:
    pairs = [_flipped(train.pixels[k].float() / 255, train.truth[k]) for k in chosen.tolist()]
    losses = net([image for image, _ in pairs], [boxes for _, boxes in pairs])
    loss = sum(losses.values())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 5.0)
    optimizer.step()
    schedule.step()
    return float(loss.detach())


def _flipped(image: Tensor, found: Boxes) -> tuple[Tensor, Boxes]:
    """An image for training, mirrored half of the time; crowds are no examples."""
    single = ~found["iscrowd"].bool()
    boxes, labels = found["boxes"][single], found["labels"][single]
    if torch.rand(()) < 0.5:
        width = image.shape[-1]
        image = image.flip(-1)
        boxes = torch.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], 1)
    return image, {"boxes": boxes, "labels": labels}


def _parts(options: argparse.Namespace) -> tuple[dict[int, str], Part, Part]:
    """Category names, training images and test images: the set's own or those that were drawn.

    Categories that count from 0 move up by one: 0 is the background of torchvision's detectors.
    """
    places = options.coco
    if places is None:
        drawn = options.out / f"shapes-{options.images}-{options.size}-{options.seed}"
        places = drawn / "images", drawn / "annotations.json"
        if not places[1].exists():
            draw_set(drawn, options.images, options.size, options.seed)
    names, listed = read_coco(*places)
    up = int(min(names) == 0)
    order = np.random.default_rng(options.seed).permutation(len(listed))[: options.images]
    test = round(options.test_fraction * len(order))
    if len(order) - test < max(BATCH, options.calibration) or test < GROUPS:
        raise SystemExit(f"{len(order)} images are too few to train, calibrate and test")
    chosen = [[listed[k] for k in some] for some in (order[test:], order[:test])]
    train, held_out = (_part(some, options.size, up) for some in chosen)
    return {number + up: name for number, name in names.items()}, train, held_out


def _part(listed: Sequence[Boxed], side: int, up: int) -> Part:
    truth = []
    for image in listed:
        boxes = torch.from_numpy(image.boxes) * (side / torch.tensor(2 * image.size))
        labels, crowd = torch.from_numpy(image.labels) + up, torch.from_numpy(image.crowd)
        truth.append({"boxes": boxes.clamp(0, side), "labels": labels, "iscrowd": crowd.long()})
    pixels = np.stack([image.pixels(side) for image in listed])
    return Part(torch.from_numpy(pixels), truth)


def _findings(
    options: argparse.Namespace, rows: list[dict[str, Any]], about: dict[str, Any]
) -> Findings:
    table = Table(options.model, COLUMNS, rows, NOTE, on_screen=True)
    same = f"equal all {about['boxes']:,} of the unsplit net bit for bit at every point"
    if about["unequal"]:
        same = f"differ from those of the unsplit net in {about['unequal']} images of all points"
    verdict = f"From features sent as raw float32, boxes, labels and scores {same}."
    answers = list(_answers(rows, options.ranges))
    if not about["map50"] >= USEFUL:
        found = f"The unsplit net has mAP50 {about['map50']:.3f} alone"
        answers = [f"{found}, too little to say what bits cost: train it longer (--epochs)."]
    return Findings(
        f"Detection over bits: {options.model}",
        " ".join(answers),
        verdict,
        tables=[table],
        figures=[Drawing("detection", "mAP over bits, unsplit dashed.", _figure(rows, about))],
        files={
            "detection.csv": Table.of_rows("detection", rows),
            "detection.json": {"model": options.model, **about, "rows": rows},
        },
    )


def _answers(rows: Sequence[dict[str, Any]], kinds: Sequence[str]) -> Iterator[str]:
    """For each kind of ranges the bits from which on no point loses one of mAP50-95, and bytes."""
    for ranges in kinds:
        own = [row for row in rows if row["ranges"] == ranges]
        enough = {
            point: enough_bits(own, point) for point in dict.fromkeys(r["point"] for r in own)
        }
        said = ", ".join(f"{point}: {_said(row)}" for point, row in enough.items())
        yield f"Less than one point of mAP50-95 is lost with ranges of each {ranges} at {said}."


def enough_bits(rows: Sequence[dict[str, Any]], point: str) -> dict[str, Any] | None:
    """The row of the fewest bits that, like all with more, loses less than one point of mAP."""
    best = None
    for row in sorted((r for r in rows if r["point"] == point), key=lambda r: -r["bits"]):
        if row["change"] <= -TOLERABLE:
            break
        best = row
    return best


def _said(row: dict[str, Any] | None) -> str:
    if row is None:
        return "no number of bits"
    sent = row[f"{row['smallest']}_bytes"]
    parts = "{smallest}, {of_float32:.3f} of float32, {of_jpeg:.2f} of a JPEG".format(**row)
    return f"{row['bits']} bits ({sent:,.0f} bytes by {parts})"


def _figure(rows: Sequence[dict[str, Any]], about: dict[str, Any]) -> Figure:
    kinds = list(dict.fromkeys(row["ranges"] for row in rows))
    points = list(dict.fromkeys(row["point"] for row in rows))
    figure = Figure(figsize=(4.6 * len(kinds), 6.4), layout="constrained")
    grid = figure.subplots(2, len(kinds), sharex=True, sharey="row", squeeze=False)
    for (line, key), kind in (
        (a, b) for a in enumerate(("map50", "map")) for b in enumerate(kinds)
    ):
        axes = grid[line][kind[0]]
        for number, point in enumerate(points):
            own = [r for r in rows if r["point"] == point and r["ranges"] == kind[1]]
            axes.plot(
                [r["bits"] for r in own],
                [r[key] for r in own],
                "os^Dv"[number % 5] + "-",
                label=point,
                markersize=4,
                lw=1,
            )
        axes.axhline(about[key], color="black", lw=0.8, ls="--", label="unsplit")
        axes.set_title(f"ranges of each {kind[1]}", loc="left", fontsize=9)
        axes.set(xlabel="bits a coefficient", ylabel=("mAP50", "mAP50-95")[line], ylim=(0, None))
        plain(axes, "both")
    grid[0][0].legend(fontsize="x-small", frameon=False)
    return figure


def _asked(options: argparse.Namespace) -> dict[str, Any]:
    """What the weights depend on."""
    keys = ("images", "size", "epochs", "test_fraction", "seed")
    coco = options.coco and [str(path.resolve()) for path in options.coco]
    return {key: getattr(options, key) for key in keys} | {"coco": coco}


def _batches(items: Any) -> Iterator[Any]:
    return (items[k : k + BATCH] for k in range(0, len(items), BATCH))


def _same(one: Boxes, other: Boxes) -> bool:
    return all(torch.equal(one[key], other[key]) for key in ("boxes", "scores", "labels"))


def _mean(payloads: Sequence[bytes]) -> float:
    return sum(map(len, payloads)) / len(payloads)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--model", choices=FEW, default=SSD)
    add("--out", type=Path, required=True)
    add("--coco", nargs=2, type=Path, metavar=("IMAGES", "ANNOTATIONS"))
    add("--images", type=int, default=640, help="drawn, or at most taken of --coco")
    add("--test-fraction", type=float, default=0.2)
    add("--size", type=int, default=128, help="pixels a side")
    add("--epochs", type=int, default=16)
    add("--seed", type=int, default=0)
    add("--calibration", type=int, default=64, help="training images that the codecs see before")
    add("--bits", nargs="+", type=int, default=[2, 3, 4, 5, 6, 8])
    add(
        "--ranges",
        nargs="+",
        choices=("image", "tensor", "channel", "clip"),
        default=["image", "channel"],
    )
    add("--points", nargs="+", help="by their labels; four from the first to the last without it")
    return parser.parse_args()


if __name__ == "__main__":
    main()
