"""What one split came to, and the files it leaves."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from isplit import job
from isplit.artifact import Manifest, save_split_model
from isplit.backbones import stored_layout
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
from isplit.runs.base import Base
from isplit.runs.choice import chosen_by
from isplit.stages import Stored, tested

RESULT_SCHEMA = 2


@dataclass(frozen=True)
class Trained:
    """One split and what it was made by.

    Attributes:
        curve: that ``point`` was chosen by.
        rate: at which its features are compressed.
        done: the finished stages by name, in their order.
    """

    base: Base
    curve: Curve
    point: SplitPoint
    rate: float
    split: SplitModel
    done: Mapping[str, Stored]


def split_result(made: Trained) -> SplitResult:
    """Everything one split came to, from its finished stages."""
    cfg, data = made.base.cfg, made.base.bench.data
    curve, point, done = made.curve, made.point, made.done
    tests = {stage: tested(stored) for stage, stored in done.items()}
    reached = {stage: test.accuracy for stage, test in tests.items()}
    encoded, shape = done.get("autoencoder"), made.split.bottleneck.code_shape
    rates = (made.rate, made.split.bottleneck.achieved_rate)
    how = chosen_by(cfg, curve, point)
    of_one = cost(point, made.split.bottleneck)
    codec = CodecResult(**done["codec"].made.facts["codec"]) if "codec" in done else None
    return SplitResult(
        schema=RESULT_SCHEMA,
        model=job.model_name(cfg),
        data=job.data_name(cfg),
        num_classes=data.num_classes,
        seed=cfg.seed,
        split=ChosenSplit(point.name, point.index, point.shape, how, point.label),
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
            stage: StageResult(of.fingerprint, of.reused, of.seconds, of.recipe.get("code"))
            for stage, of in done.items()
        },
        codec=codec,
    )


def write_split(made: Trained, result: SplitResult, folder: Path) -> None:
    """The split model, the metrics of every epoch, the answers on every test image, the result.

    ``result.json`` goes first and comes last: where it is missing, the job did not finish.
    """
    (folder / "result.json").unlink(missing_ok=True)
    done, data = made.done, made.base.bench.data
    profile = done["codec"].made.facts["profile"] if result.codec else None
    save_split_model(made.split, _manifest(made, result), folder, profile)
    history = {stage: stored.made.facts["history"] for stage, stored in done.items()}
    write_text(folder / "metrics.csv", _metrics_csv(history))
    answers = {stage: tested(stored).predictions for stage, stored in done.items()}
    predictions = _predictions_csv(data.class_names, data.labels("test"), answers)
    write_text(folder / "predictions.csv", predictions)
    write_json(folder / "result.json", asdict(result))


def _manifest(made: Trained, result: SplitResult) -> Manifest:
    base = made.base
    keys, data, split = base.keys, base.bench.data, base.cfg.split
    return Manifest(
        model=keys if "net" in keys else stored_layout(keys, base.stored.made.weights),
        layer=made.point.name,
        granularity=split.granularity,
        channels=split.channels,
        compression_rate=made.rate,
        class_names=data.class_names,
        image_size=data.image_size,
        mean=data.preparation.mean,
        std=data.preparation.std,
        codec=result.codec.settings if result.codec else None,
    )


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
