"""What one split came to, and the files it leaves."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from isplit.artifact import Manifest, save_split_model
from isplit.data import ImageData
from isplit.evaluate import cost
from isplit.files import write_json, write_text
from isplit.importance.curve import Curve
from isplit.model import SplitModel
from isplit.point import SplitPoint
from isplit.report.table import Table
from isplit.report.text import csv_text
from isplit.result import (
    Accuracy,
    BottleneckResult,
    ChosenSplit,
    CodecResult,
    CurveValue,
    PerClass,
    SplitResult,
    StageResult,
)
from isplit.stages import Stored, tested

RESULT_SCHEMA = 2

Done = Mapping[str, Stored]
"""The finished stages of one split by name, in their order."""


def split_result(
    *,
    model: str,
    data_name: str,
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
    reached = {stage: test.accuracy for stage, test in tests.items()}
    encoded, shape = done.get("autoencoder"), split.bottleneck.code_shape
    rates = (compression_rate, split.bottleneck.achieved_rate)
    of_one = cost(point, split.bottleneck)
    codec = CodecResult(**done["codec"].made.facts["codec"]) if "codec" in done else None
    return SplitResult(
        schema=RESULT_SCHEMA,
        model=model,
        data=data_name,
        num_classes=data.num_classes,
        seed=seed,
        split=ChosenSplit(point.name, point.index, point.shape, chosen_by, point.label),
        curve=CurveValue(
            curve.kind, curve.values[point.index], curve.rank(point.index), len(curve.points)
        ),
        bottleneck=BottleneckResult(*rates, shape, encoded.made.facts["nmse"]) if encoded else None,
        accuracy=Accuracy(
            baseline=reached["baseline"],
            after_autoencoder=reached.get("autoencoder"),
            after_finetune=reached.get("finetune"),
            with_codec=reached.get("codec"),
            test_images=len(tests["baseline"].predictions),
        ),
        per_class=PerClass(data.class_names, tests["baseline"].f1, [*tests.values()][-1].f1),
        cost=replace(of_one, payload_bytes=round(codec.payload_mean_bytes)) if codec else of_one,
        stages={
            stage: StageResult(stored.fingerprint, stored.reused, stored.seconds)
            for stage, stored in done.items()
        },
        codec=codec,
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
    profile = None
    if result.codec:
        manifest = replace(manifest, codec=result.codec.settings)
        profile = done["codec"].made.facts["profile"]
    save_split_model(split, manifest, folder, profile)
    history = {stage: stored.made.facts["history"] for stage, stored in done.items()}
    write_text(folder / "metrics.csv", _metrics_csv(history))
    answers = {stage: tested(stored).predictions for stage, stored in done.items()}
    predictions = _predictions_csv(manifest.class_names, labels, answers)
    write_text(folder / "predictions.csv", predictions)
    write_json(folder / "result.json", asdict(result))


def _metrics_csv(histories: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """A row per stage and epoch: every metric of every stage, empty where it has none."""
    rows = [
        {"stage": stage} | {name.split("/")[-1]: value for name, value in row.items()}
        for stage, history in histories.items()
        for row in history
    ]
    return Table.of_rows("metrics", rows).csv()


def _predictions_csv(
    class_names: Sequence[str], labels: Sequence[int], answers: Mapping[str, Sequence[int]]
) -> str:
    """A row per test image, in order: its label and the answer after each stage, by class name."""
    columns = [labels, *answers.values()]
    rows = ([class_names[c] for c in image] for image in zip(*columns, strict=True))
    return csv_text(["label", *answers], rows)
