import inspect
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from isplit.data import DATA_SETS, build_data

CONF = Path(__file__).parents[3] / "conf"
FILES = sorted(path.stem for path in (CONF / "data").glob("[a-z]*.yaml"))


def keys(name: str, *overrides: str) -> dict:
    """The keys of conf/data/<name>.yaml, with the paths and the seed that it refers to."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose(f"data/{name}", overrides=list(overrides))
    around = {"paths": {"data": "DATA", "cache": "CACHE"}, "seed": 7}
    merged = OmegaConf.merge(around, cfg)
    return OmegaConf.to_container(merged.data, resolve=True, throw_on_missing=True)


def test_there_is_a_file_for_every_data_set():
    assert set(DATA_SETS) <= set(FILES)
    assert {keys(file)["name"] for file in FILES} == set(DATA_SETS)


@pytest.mark.parametrize("file", FILES)
def test_the_keys_are_the_arguments_of_build_data(file):
    config = keys(file)
    arguments = set(inspect.signature(build_data).parameters) - {"others"}
    listing = inspect.signature(DATA_SETS[config["name"]]).parameters
    own = {name for name in listing if name.strip("_") not in {*arguments, ""}}
    assert set(config) == arguments | own


@pytest.mark.parametrize("file", FILES)
def test_seed_and_folders_come_from_the_outside(file):
    config = keys(file)
    assert config["seed"] == 7
    assert config["cache_dir"] == "CACHE"
    assert config["root"] is None or config["root"].startswith("DATA/")


def test_letters_build_from_their_file(tmp_path):
    config = keys("letters", "data.train_images=40", "data.test_images=20", "data.classes=[A,C]")
    data = build_data(**{**config, "cache_dir": str(tmp_path)})
    assert data.image_size == 32
    assert data.class_names == ("A", "C")
    assert [data.size(split) for split in ("train", "validation", "test")] == [8 - 2, 2, 4]
