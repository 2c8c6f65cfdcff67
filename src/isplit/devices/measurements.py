"""Files of measured latencies: CSV, a row per system, precision and net (as MLPerf's logs say)."""

import csv
import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median

from isplit.devices.fitting import Net
from isplit.files import csv_text, write_text

COLUMNS = (
    *("system", "mlperf_round", "division", "submitter", "model", "width_mult", "image_size"),
    *("precision", "mean_ms", "p50_ms", "p90_ms"),
)
NEEDED = ("system", "model", "width_mult", "image_size", "precision")

Systems = dict[tuple[str, str], dict[Net, float]]
"""Latency in ms by net, for each system and precision."""


def read_measurements(path: Path, statistic: str = "mean_ms") -> Systems:
    """Latencies of a file, its column ``statistic`` in ms; rows where it is empty are left out.

    Of a net that was measured twice on a system it is the median.

    Raises:
        ValueError: the file is no such table, with the line that is wrong.
    """
    if not path.is_file():
        raise ValueError(f"--measurements {path}: there is no such file")
    if not statistic.endswith("_ms"):
        raise ValueError(f"--statistic {statistic}: a column of milliseconds ends in _ms")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            needed = (*NEEDED, statistic)
            if missing := [name for name in needed if name not in (reader.fieldnames or ())]:
                raise ValueError(f"column {missing[0]} is missing; needed are {', '.join(needed)}")
            found: dict[tuple[str, str], dict[Net, list[float]]] = {}
            empty = 0
            for row in reader:
                if not (row[statistic] or "").strip():
                    empty += 1
                    continue
                key, net, ms = _measurement(reader.line_num, row, statistic)
                found.setdefault(key, {}).setdefault(net, []).append(ms)
    except (ValueError, csv.Error) as error:
        raise ValueError(f"--measurements {path}: {error}") from error
    if empty:
        warnings.warn(f"{path}: {empty} rows without {statistic}", stacklevel=2)
    return {key: {net: median(ms) for net, ms in nets.items()} for key, nets in found.items()}


def write_measurements(
    path: Path, system: str, runs: Mapping[tuple[str, Net], Sequence[float]]
) -> None:
    """Write the times of single runs, in ms, by runtime and net, as a file to be fitted to."""
    rows = []
    for (runtime, net), ms in runs.items():
        ordered = sorted(ms)
        p90 = ordered[math.ceil(0.9 * len(ordered)) - 1]
        what = (f"{system}-{runtime}", "", "", "", net.model, net.width_mult, net.image_size)
        times = (f"{value:.4f}" for value in (fmean(ms), median(ms), p90))
        rows.append((*what, "fp32", *times))
    write_text(path, csv_text(COLUMNS, rows))


def _measurement(
    line: int, row: Mapping[str, str | None], statistic: str
) -> tuple[tuple[str, str], Net, float]:
    def number(column: str) -> float:
        try:
            value = float(row[column] or "")
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value <= 0 or (column == "image_size" and value % 1):
            raise ValueError(f"line {line}: {column}={row[column]!r} is no number above 0")
        return value

    system, model = row["system"], row["model"]
    if not system or not model:
        raise ValueError(f"line {line}: system or model is empty")
    net = Net(model, number("width_mult"), int(number("image_size")))
    return (system, row["precision"] or ""), net, number(statistic)
