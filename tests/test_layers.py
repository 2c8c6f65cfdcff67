"""Imports point downwards: a module knows the levels below it, never a sibling."""

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "isplit"

LEVELS = [
    {"types", "files", "threads", "overrides", "requirements"},
    {"graph", "bottleneck", "data", "matching"},
    {"backbones", "model", "importance", "evaluate", "devices"},
    {"stages", "artifact", "analysis"},
    {"report"},
    {"outputs", "tracking"},
    {"config"},
    {"runs"},
    {"sweeps"},
]
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}


def modules():
    return [path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py"]


def noun(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("isplit."):
            names.add(node.module.split(".")[1])
        elif isinstance(node, ast.ImportFrom) and node.module == "isplit":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {a.name.split(".")[1] for a in node.names if a.name.startswith("isplit.")}
    return names


def test_every_module_has_a_level():
    assert {noun(path) for path in modules()} == set(LEVEL)


def test_imports_point_to_lower_levels():
    wrong = [
        f"{path.relative_to(SOURCE)} imports {name}"
        for path in modules()
        for name in imported(path)
        if name != noun(path) and LEVEL[name] >= LEVEL[noun(path)]
    ]
    assert not wrong


def test_no_drawers():
    assert not [path for path in modules() if path.stem in ("utils", "common", "helpers", "misc")]
