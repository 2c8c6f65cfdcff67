"""Several designs in one folder, so that a device may change between them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isplit.deploy.export import export
from isplit.documents import read_json
from isplit.files import write_json
from isplit.studies.latency.designs import sent_of
from isplit.studies.run_folder import Run, read_run


def export_designs(
    runs: Sequence[Path], table: Path, out: Path, images: int = 500, *, int8: bool = False
) -> None:
    """Writes an export of each run into a folder of ``out``, and ``out/designs.json``.

    Args:
        runs: folders of finished splits of one net.
        table: the ``designs.json`` that ``study=latency`` made of these runs.
        out: made where it is missing.
        images: as of :func:`isplit.deploy.export.export`, as is ``int8``.

    Raises:
        ValueError: a run is not among the designs of the table, or cannot be exported.
    """
    found, exports = read_json(table), {}
    designs = [*found["ranked"], *(one["design"] for one in found["rejected"])]
    for folder in runs:
        run = read_run(folder)
        name = _design_of(run, designs, table)
        exports[name] = re.sub(r"[^\w.-]+", "-", name)
        codec = None if run.result.codec else {"name": "plain"}  # float32, as the table counts it
        place = out / exports[name]
        export(folder, place, codec, images, int8=int8, name=exports[name])
    write_json(out / "designs.json", found | {"exports": exports})


def _design_of(run: Run, designs: Sequence[Mapping[str, Any]], table: Path) -> str:
    """The name of the one design that is this run's."""
    trained = run.result.bottleneck
    rate = trained.compression_rate if trained else None
    key = {"layer": run.result.split.label, "rate": rate, "codec": sent_of(run).name}
    names = [one["name"] for one in designs if key.items() <= one.items()]
    if len(names) != 1:
        raise ValueError(f"--designs {table} has {len(names)} designs with {key}, not one")
    name: str = names[0]
    return name
