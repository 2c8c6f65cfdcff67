"""What ``train.py`` leaves: the curve, every split, and a summary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from isplit.artifact import Manifest, save_split_model
from isplit.data import ImageData
from isplit.evaluate import cost
from isplit.files import write_json, write_text
from isplit.model import SplitModel
from isplit.report.figures import curve_figure
from isplit.report.screen import said
from isplit.report.tables import metrics_csv, predictions_csv, result_table
from isplit.stages import Stored, tested
from isplit.types import (
    Accuracy,
    BottleneckResult,
    ChosenSplit,
    Curve,
    CurveValue,
    PerClass,
    SplitPoint,
    SplitResult,
    StageResult,
)

RESULT_SCHEMA = 1

Done = Mapping[str, Stored]
"""The finished stages of one split by name, in their order."""


def write_curve(curve: Curve, chosen: Sequence[SplitPoint], folder: Path) -> None:
    """``curve.png``, ``curve.svg``, and ``curve.json`` with every point and its rank."""
    curve_figure(curve, [point.index for point in chosen], folder / "curve")
    points = [
        asdict(point) | {"value": value, "rank": curve.rank(position)}
        for position, (point, value) in enumerate(zip(curve.points, curve.values, strict=True))
    ]
    about = {"kind": curve.kind, "num_images": curve.num_images, "peaks": curve.peaks()}
    write_json(folder / "curve.json", about | {"points": points, "per_class": curve.per_class})


def split_result(
    *,
    model: str,
    data: ImageData,
    seed: int,
    curve: Curve,
    point: SplitPoint,
    chosen_by: str,
    compression_rate: float,
    split: SplitModel,
    done: Done,
) -> SplitResult:
    """Everything one split came to, from its finished stages."""
    tests = {stage: tested(stored) for stage, stored in done.items()}
    bottleneck = split.bottleneck
    return SplitResult(
        schema=RESULT_SCHEMA,
        model=model,
        data=str(data.name),
        num_classes=data.num_classes,
        seed=seed,
        split=ChosenSplit(
            layer=point.name,
            index=point.index,
            shape=point.shape,
            chosen_by=chosen_by,
            label=point.label,
        ),
        curve=CurveValue(
            kind=curve.kind,
            value=curve.values[point.index],
            rank=curve.rank(point.index),
            num_points=len(curve.points),
        ),
        bottleneck=BottleneckResult(
            compression_rate=compression_rate,
            achieved_rate=bottleneck.achieved_rate,
            code_shape=bottleneck.code_shape,
            reconstruction_nmse=done["autoencoder"].made.facts["nmse"],
        ),
        accuracy=Accuracy(
            baseline=tests["baseline"].accuracy,
            after_autoencoder=tests["autoencoder"].accuracy,
            after_finetune=tests["finetune"].accuracy,
            test_images=len(tests["baseline"].predictions),
        ),
        per_class=PerClass(
            class_names=data.class_names,
            baseline_f1=tests["baseline"].f1,
            split_f1=tests["finetune"].f1,
        ),
        cost=cost(point, bottleneck),
        stages={
            stage: StageResult(stored.fingerprint, stored.reused, stored.seconds)
            for stage, stored in done.items()
        },
    )


def write_split(
    result: SplitResult,
    split: SplitModel,
    manifest: Manifest,
    labels: Sequence[int],
    done: Done,
    folder: Path,
) -> None:
    """The split model, the metrics of every epoch, the answers on every test image, the result.

    ``result.json`` comes last: where it is missing, the job did not finish.

    Args:
        labels: of the test images, in order.
    """
    save_split_model(split, manifest, folder)
    history = {stage: stored.made.facts["history"] for stage, stored in done.items()}
    write_text(folder / "metrics.csv", metrics_csv(history))
    answers = {stage: tested(stored).predictions for stage, stored in done.items()}
    predictions = predictions_csv(manifest.class_names, labels, answers)
    write_text(folder / "predictions.csv", predictions)
    write_json(folder / "result.json", asdict(result))


def conclude(curve: Curve, results: Sequence[SplitResult], folder: Path) -> None:
    """What a person reads first: the table, and the curve with what was measured."""
    measured = {result.split.index: result.accuracy.after_finetune for result in results}
    curve_figure(curve, list(measured), folder / "curve", measured, results[0].accuracy.baseline)
    write_text(folder / "results.txt", said(result_table(results)))
