"""The wheel, installed outside the checkout: the command, its conf/ and the sweeper are in it."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder of programs, in an environment with the wheel and the packages of this one."""
    pytest.importorskip("hatchling", reason="builds the wheel: pip install hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    programs = folder / "venv" / "bin"
    tool = ["uv", "pip"] if shutil.which("uv") else [sys.executable, "-m", "pip"]
    where = ["--python", str(programs / "python")]
    place = [*tool, "install", *where] if tool[0] == "uv" else [*tool, *where, "install"]
    subprocess.run([*place, "--no-deps", str(wheel)], check=True, capture_output=True)
    return programs


@pytest.fixture(scope="module")
def packages(installed):
    """Have the packages of this environment beside the wheel, but no checkout."""
    (site,) = installed.parent.glob("lib/python*/site-packages")
    (site / "others.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")


def run(*command, cwd):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, cwd=cwd, env=environment
    )


def test_isplit_imports_alone(installed, tmp_path):
    """In an environment that has no other package."""
    ran = run(installed / "python", "-c", "import isplit; print(isplit.__file__)", cwd=tmp_path)
    assert str(installed.parent) in ran.stdout, ran.stderr


def test_isplit_and_its_codec_import_with_numpy_alone(tmp_path):
    """In a new environment, from the checkout: what a device that only encodes needs."""
    if not shutil.which("uv"):
        pytest.skip("uv makes the environment: pip install uv")
    python = tmp_path / "venv" / "bin" / "python"
    made = run("uv", "venv", "--python", sys.executable, tmp_path / "venv", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    numpy = run("uv", "pip", "install", "--python", python, "numpy>=2", cwd=tmp_path)
    if numpy.returncode:
        pytest.skip(f"numpy cannot be had here: {numpy.stderr.splitlines()[-1]}")
    program = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r})\n"
        "import isplit, isplit.codec, numpy\n"
        "codec = isplit.codec.from_config({'name': 'ans', 'bits': 4})\n"
        "ramp = numpy.linspace(0, 1, 64, dtype=numpy.float32).reshape(1, 4, 4, 4)\n"
        "print(abs(codec.decode(codec.encode(ramp)) - ramp).max() < 0.1, dir(isplit)[:2])"
    )
    ran = run(python, "-c", program, cwd=tmp_path)
    assert ran.stdout == "True ['Ranking', 'Split']\n", ran.stderr


@pytest.mark.usefixtures("packages")
def test_the_command_finds_its_own_conf(installed, tmp_path):
    shown = run(installed / "isplit", "train", "--cfg", "all", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "SplitSweeper" in shown.stdout
    assert f"{installed.parent}/lib" in shown.stdout  # where its config came from
    refused = run(installed / "isplit", "analyze", "study=clases", cwd=tmp_path)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        "error: study=clases is none of agreement, classes, latency, payload; "
        "did you mean classes?\n"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("packages")
def test_a_job_runs_as_with_the_script(installed, tmp_path):
    words = (
        "trainer=smoke",
        "logger=none",
        "data.images_per_class=4",
        "stage.baseline.epochs=0",
        "stage.autoencoder.epochs=1",
        "stage.finetune.epochs=0",
        "split=depth",
        "hydra.run.dir=job",
    )
    ran = run(installed / "isplit", "train", *words, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "job" / "result.json").is_file()
