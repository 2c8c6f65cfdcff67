"""Save a view of a W&B project: does the ranking of the split points agree with their accuracy?

python sweeps/workspace.py ENTITY                 project isplit, ranked by CUI
python sweeps/workspace.py ENTITY --kind probe    the same for another predictor
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import wandb
import wandb_workspaces.reports.v2 as wr
import wandb_workspaces.workspaces as ws

from isplit.tracking.run import has_key

ACCURACY = wr.SummaryMetric("accuracy/final")
INDEX = wr.SummaryMetric("split/index")
AXES = {  # of the parallel coordinates
    "layer": "split/label",
    "rate": "bottleneck/compression_rate",
    "bytes": "cost/payload_bytes",
    "accuracy": ACCURACY.name,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit status."""
    parser = argparse.ArgumentParser(prog="python sweeps/workspace.py", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("entity", help="W&B user or team")
    parser.add_argument("--project", default="isplit")
    parser.add_argument(
        "--kind", default="cui", help="the curve that ranks: split.kind of the runs"
    )
    given = parser.parse_args(arguments)
    if not has_key():  # W&B would ask for it
        parser.error("there is no W&B key: wandb login, or the variable WANDB_API_KEY")
    try:
        saved = workspace(given.entity, given.project, given.kind).save()
    except (ValueError, OSError, wandb.Error) as error:
        parser.error(f"the view was not saved: {error}")
    print(saved.url)
    return 0


def workspace(entity: str, project: str = "isplit", kind: str = "cui") -> ws.Workspace:
    """The view, not yet saved: charts over all runs of ``train.py``, the runs by model and data."""
    value, rank = wr.SummaryMetric(f"curve/{kind}"), wr.SummaryMetric(f"curve/{kind}_rank")
    name = kind.upper() if kind in ("cui", "cde") else kind
    charts = [
        wr.ScatterPlot(
            title=f"{name} rank against retrained accuracy", x=rank, y=ACCURACY, regression=True
        ),
        wr.ScatterPlot(title=f"{name} curve, coloured by accuracy", x=INDEX, y=value, z=ACCURACY),
        wr.ScatterPlot(title="accuracy at each split point", x=INDEX, y=ACCURACY),
        wr.ParallelCoordinatesPlot(title="what a split costs and keeps", columns=_axes()),
    ]
    section = ws.Section(
        name="Split points",
        panels=charts,
        is_open=True,
        layout_settings=ws.SectionLayoutSettings(columns=2, rows=2),
    )
    return ws.Workspace(
        entity=entity,
        project=project,
        name=f"{name} rank and accuracy",
        sections=[section],
        runset_settings=_runs_table(rank),
    )


def _axes() -> list[wr.ParallelCoordinatesPlotColumn]:
    return [
        wr.ParallelCoordinatesPlotColumn(wr.SummaryMetric(key), display_name=name)
        for name, key in AXES.items()
    ]


def _runs_table(rank: wr.SummaryMetric) -> ws.RunsetSettings:
    """The runs of ``train.py`` by model and data, the most accurate first."""
    columns = [*AXES.values(), rank.name]
    return ws.RunsetSettings(
        filters=ws.And(ws.Metric("JobType") == "train"),
        groupby=[ws.Config("model/name"), ws.Config("data/name")],
        order=[ws.Ordering(ws.Summary(ACCURACY.name), ascending=False)],
        pinned_columns=[f"summary:{column}" for column in columns],
    )


if __name__ == "__main__":
    sys.exit(main())
