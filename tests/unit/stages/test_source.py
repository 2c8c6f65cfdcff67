"""The hash of code: an edit that can change a result changes it, any other does not."""

import importlib
import itertools
import sys

import pytest

from isplit.importance import computed_by
from isplit.stages import source_hash
from isplit.stages.recipe import LOSSES

NUMBER = itertools.count()
CODE = """
import math
from {package}.helpers import half as part, OTHER

SCALE = 2.0
TABLE = {{"a": lambda x: x + 1, "b": OTHER}}


def predictor(x: float) -> float:
    \"\"\"Doc.\"\"\"
    return SCALE * part(x) + TABLE["a"](x) + math.pi


def unrelated(x):
    return x
"""
HELPERS = """
OTHER = 5


def half(x):
    return x / 2
"""


@pytest.fixture
def hashed(tmp_path, monkeypatch):
    """The hash of a predictor of the user's own, with edits made to its text."""

    def make(code_edit=("", ""), helper_edit=("", "")):
        package = f"own_package_{next(NUMBER)}"
        (tmp_path / package).mkdir()
        texts = {"code": CODE.format(package=package).replace(*code_edit)}
        texts |= {"helpers": HELPERS.replace(*helper_edit), "__init__": ""}
        for name, text in texts.items():
            (tmp_path / package / f"{name}.py").write_text(text)
        module = importlib.import_module(f"{package}.code")
        return source_hash([module.predictor])

    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield make
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize(
    "edits",
    [
        (("SCALE * part", "SCALE + part"), ("", "")),
        (("SCALE = 2.0", "SCALE = 3.0"), ("", "")),
        (("x + 1", "x + 2"), ("", "")),
        (("", ""), ("x / 2", "x / 3")),
        (("", ""), ("OTHER = 5", "OTHER = 6")),
    ],
    ids=["itself", "a constant", "a lambda in a table", "a helper elsewhere", "what a table names"],
)
def test_an_edit_of_what_it_computes_with_changes_it(hashed, edits):
    assert hashed() != hashed(*edits)


@pytest.mark.parametrize(
    "edit",
    [
        ("Doc.", "Another."),
        ("def unrelated(x):\n    return x", "def unrelated(x):\n    return 2 * x"),
        ("SCALE = 2.0", "SCALE = 2.0  # why"),
        ("(x: float) -> float", "(x)"),
        ("    return SCALE", "\n\n    return (SCALE)"),
    ],
    ids=["docstring", "another function", "comment", "annotation", "layout"],
)
def test_other_edits_do_not(hashed, edit):
    assert hashed() == hashed(edit)


def test_a_module_is_hashed_whole_and_torch_is_not_followed(hashed):
    hashed()
    (name,) = [n for n in sys.modules if n.startswith("own_package") and n.endswith("code")]
    assert source_hash([sys.modules[name]]) != source_hash([sys.modules[name].predictor])
    assert source_hash([LOSSES["cross_entropy"]]) != source_hash([LOSSES["mse"]])


def test_a_predictor_does_not_depend_on_the_others():
    kinds = ("cui", "gradient", "cosine", "probe", "pca_kl", "pca_nmse", "size", "cde", "depth")
    hashes = {kind: source_hash(computed_by([kind])) for kind in kinds}
    assert len(set(hashes.values())) == len(kinds)
    names = {function.__name__ for function in computed_by(["probe"])}
    assert names == {"judged", "probe"}
