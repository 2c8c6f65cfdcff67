"""Imports point downwards: a module knows the levels below it, never a sibling."""

import ast
import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "isplit"

LEVELS = [
    {
        "point",
        "result",
        "files",
        "documents",
        "threads",
        "codec",
        "search",
    },
    {"keys", "presets"},
    {"graph", "bottleneck", "data", "network", "requirements"},
    {"backbones", "model", "importance", "evaluate", "devices", "matching"},
    {"stages", "artifact", "report"},
    {"studies", "tracking"},
    {"config"},
    {"job"},
    {"runs", "library", "deploy"},
    {"sweeps"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}


PLOTS = {"matplotlib", "numpy"}
MAY_IMPORT = {  # packages of others, by room; a room that is not here may import any of ours
    "report": PLOTS | {"jinja2", "markupsafe", "PIL", "pydantic", "rich", "yaml"},
    "studies": PLOTS | {"pydantic", "scipy", "yaml"},
    "codec": {"numba", "numpy", "PIL", "zstandard", "lz4", "blosc2", "pcodec"},
    "network": {"numpy", "scipy", "simpy", "yaml"},
    "search": {"numpy", "scipy"},
    "keys": {"hydra", "omegaconf", "yaml"},
    "tracking": {"lightning", "requests", "wandb"},
    "importance": {"numpy", "scipy", "torch", "pytorch_grad_cam", "PIL", "cv2"},
    "graph": {"numpy", "rich", "timm", "torch", "torchvision"},
    "bottleneck": {"torch", "torchvision"},
    "model": {"safetensors", "torch"},
    "deploy": {"torch", "numpy", "omegaconf", "onnx", "onnxruntime"}
    | {"aiohttp", "grpc", "prometheus_client", "tritonclient", "triton_python_backend_utils"},
    "evaluate": {"torch", "torchmetrics"},
    "files": set(),
    "presets": {"yaml"},
    "requirements": set(),
}
SHARED = {
    *("conditions", "seen", "scores", "job"),
    *("collect", "naming", "run_folder", "contradictions", "curve_figure", "class_figures"),
}


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


def others(path: Path) -> set[str]:
    """Packages that are neither Python's nor ours."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
    return names - set(sys.stdlib_module_names) - {"isplit"}


def test_a_room_imports_the_packages_it_may():
    wrong = {
        str(path.relative_to(SOURCE)): others(path) - MAY_IMPORT[noun(path)]
        for path in modules()
        if noun(path) in MAY_IMPORT
    }
    assert not {path: names for path, names in wrong.items() if names}


def test_a_study_knows_no_other_study_and_what_they_share_knows_none():
    for path in (SOURCE / "studies").rglob("*.py"):
        own = path.relative_to(SOURCE / "studies").parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            module = getattr(node, "module", None) or ""
            if module.startswith("isplit.studies."):
                assert module.split(".")[2] in SHARED | ({own} - SHARED), path


def test_what_benchmarks_and_sweeps_take_from_isplit_is_there():
    """They are too long to run here."""
    scripts = [path for folder in ("benchmarks", "sweeps") for path in (ROOT / folder).glob("*.py")]
    taken = {
        (path.name, node.module, alias.name)
        for path in scripts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith("isplit.")
        for alias in node.names
    }
    gone = [
        (script, module, name)
        for script, module, name in taken
        if not hasattr(importlib.import_module(module), name)
        and importlib.util.find_spec(f"{module}.{name}") is None
    ]
    assert taken
    assert not gone


def test_no_drawers():
    assert not [path for path in modules() if path.stem in ("utils", "common", "helpers", "misc")]
