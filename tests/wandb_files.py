"""What W&B wrote of an offline run, read with W&B's own reader: no server, no network."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import wandb

WANDB = str(Path(sys.executable).with_name("wandb"))
PATIENCE_S = 40


def teardown() -> None:
    """End W&B's service, by force where it does not end by itself, as was seen once."""
    kill = ["pkill", "-KILL", "-P", str(os.getpid()), "wandb-core"]
    timer = threading.Timer(PATIENCE_S, subprocess.run, (kill,))
    timer.start()
    with contextlib.suppress(SystemExit):  # with its status
        wandb.teardown()
    timer.cancel()


@dataclass
class Logged:
    """All of one run. Tables are (columns, rows) by key, artifacts their files' texts by name."""

    about: dict = field(default_factory=dict)
    config: dict = field(default_factory=dict)
    summary: dict = field(default_factory=dict)
    history: list[dict] = field(default_factory=list)
    tables: dict[str, tuple[list, list]] = field(default_factory=dict)
    artifacts: dict[str, dict[str, str]] = field(default_factory=dict)
    exit_code: int | None = None


def read_run(folder: Path) -> Logged:
    """The one run below a folder that W&B was given."""
    (place,) = folder.glob("wandb/offline-run-*")
    command = [WANDB, "leet", "inspect", "--json", str(place)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    run = Logged()
    for record in map(json.loads, text.splitlines()):
        _take(run, record["type"], record.get(record["type"], {}), place)
    return run


def _take(run: Logged, kind: str, body: dict, place: Path) -> None:
    match kind:
        case "run":
            run.about = body
            run.config |= body["config"]["update"]
        case "config":
            run.config |= body["update"]
        case "summary":
            run.summary |= body["update"]
        case "history":
            run.history.append(body["item"])
            run.tables |= _tables(body["item"], place)
        case "artifact":
            run.artifacts[body["name"]] = {
                entry["path"]: Path(entry["local_path"]).read_text(encoding="utf-8")
                for entry in body["manifest"]["contents"]
            }
        case "exit":
            run.exit_code = body.get("exit_code", 0)


def _tables(item: dict, place: Path) -> dict[str, tuple[list, list]]:
    """The tables that a row of the history points to."""
    keys = [key.removesuffix("._type") for key, value in item.items() if value == "table-file"]
    paths = {key: place / "files" / item[f"{key}.path"] for key in keys}
    tables = {key: json.loads(path.read_text(encoding="utf-8")) for key, path in paths.items()}
    return {key: (table["columns"], table["data"]) for key, table in tables.items()}
