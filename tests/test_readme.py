"""The commands that the README, the docs and the config files print are ones that work."""

import re
import shlex
import subprocess

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from pipeline.jobs import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CONFIGS = sorted((ROOT / "conf").rglob("*.yaml"))
COMMAND = re.compile(r"^(?:#\s+)?python (train|analyze)\.py *([^#\n]*)", re.MULTILINE)


def commands():
    found = {
        (path.relative_to(ROOT).as_posix(), job, words.strip())
        for path in [*PAGES, *CONFIGS]
        for job, words in COMMAND.findall(path.read_text(encoding="utf-8"))
        if "--help" not in words
    }
    return sorted(found)


def one_job(words):
    """The overrides; of a multirun those of its first job."""
    if "-m" not in words:
        return words
    parsed = OverridesParser.create().parse_overrides([w for w in words if w != "-m"])
    return BasicSweeper.split_arguments(parsed, max_batch_size=None)[0][0]


@pytest.mark.parametrize(("page", "job", "arguments"), commands())
def test_a_printed_command_composes(page, job, arguments, tmp_path):
    if "launcher=ray" in arguments:
        pytest.importorskip("hydra_plugins.hydra_ray_launcher", reason="an extra: isplit[ray]")
    overrides = one_job(shlex.split(arguments.replace("...", "x")))
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        assert compose(job, [*overrides, f"paths.output={tmp_path}"]).paths.output


def test_the_makefile_has_what_the_readme_names():
    targets = re.findall(r"`?make (\w+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert targets
    assert all(f"make {target} " in listed.stdout for target in targets)
