"""Results as tables: for the screen, and as CSV for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from isplit.files import csv_text
from isplit.types import SplitResult


def result_table(results: Sequence[SplitResult]) -> Table:
    """Accuracy, bytes and work of each split, the unsplit model first."""
    first = results[0]
    rank = f"{first.curve.kind} rank"
    table = Table(
        title=f"{first.model} on {first.data}: {first.num_classes} classes, "
        f"{first.accuracy.test_images} test images",
        caption="accuracy on the test images, of the unsplit model and after each stage\n"
        "bytes: of one image's features as float32, before and after the encoder\n"
        "M: 10^6 multiply-accumulates of one image, encoder and decoder included",
    )
    table.add_column("split after")
    accuracies = ("unsplit", "autoencoder", "fine-tuned")
    costs = ("bytes before", "after", "M device", "M server")
    for column in (rank, *accuracies, *costs):
        table.add_column(column, justify="right")
    for result in results:
        table.add_row(*_row(result))
    return table


def metrics_csv(histories: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """A row per stage and epoch: every metric of every stage, empty where it has none."""
    rows = [
        {"stage": stage} | {name.split("/")[-1]: value for name, value in row.items()}
        for stage, history in histories.items()
        for row in history
    ]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return csv_text(names, ([row.get(name, "") for name in names] for row in rows))


def predictions_csv(
    class_names: Sequence[str], labels: Sequence[int], answers: Mapping[str, Sequence[int]]
) -> str:
    """A row per test image, in order: its label and the answer after each stage, by class name."""
    columns = [labels, *answers.values()]
    rows = ([class_names[c] for c in image] for image in zip(*columns, strict=True))
    return csv_text(["label", *answers], rows)


def _row(result: SplitResult) -> list[str]:
    accuracy, cost = result.accuracy, result.cost
    return [
        result.split.label,
        f"{result.curve.rank} of {result.curve.num_points}",
        f"{accuracy.baseline:.3f}",
        f"{accuracy.after_autoencoder:.3f}",
        f"{accuracy.after_finetune:.3f}",
        f"{cost.feature_bytes:,}",
        f"{cost.payload_bytes:,}",
        f"{(cost.head_macs + cost.encoder_macs) / 1e6:.1f}",
        f"{(cost.tail_macs + cost.decoder_macs) / 1e6:.1f}",
    ]
