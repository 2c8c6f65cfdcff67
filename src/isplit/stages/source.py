"""A hash of the code that a result is computed with, so that edited code is another recipe."""

import ast
import hashlib
import importlib
import importlib.util
import inspect
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from types import ModuleType
from typing import Any

VERSIONED = ("torch", "torchvision", "builtins")  # a fingerprint says which, or the language does


def source_hash(roots: Iterable[Callable[..., Any] | ModuleType]) -> str:
    """Hash of the source of functions, classes and modules, and of all that they name.

    What they name is followed through the packages of the roots and through isplit, however far:
    functions, classes, tables and constants. Comments, docstrings, layout, the annotations of
    functions and the module that a definition stands in do not count.
    """
    todo = [_place_of(root) for root in roots]
    packages = {"isplit", *(module.partition(".")[0] for module, _ in todo)} - {*VERSIONED}
    texts: dict[tuple[str, str], str] = {}
    while todo:
        module, name = place = todo.pop()
        if place in texts or module.partition(".")[0] not in packages:
            texts.setdefault(place, "")  # its name tells it apart
            continue
        defined, imported = _bindings(module)
        if name in imported:
            todo.append(imported[name])
            continue
        nodes = [defined[name]] if name in defined else list(defined.values())
        texts[place] = "\n".join(map(ast.unparse, nodes))
        for node in nodes:
            own = dict(_imports(ast.walk(node), module))
            known = {name: (module, name) for name in defined} | imported | own
            used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
            todo += [known[name] for name in used & known.keys()]
    whole = "\n".join(sorted(f"{name}: {text}" for (_, name), text in texts.items()))
    return hashlib.sha256(whole.encode()).hexdigest()


def _place_of(root: Any) -> tuple[str, str]:
    """Its module, and the name of the definition at the top of that; empty for a module."""
    if isinstance(root, ModuleType):
        return root.__name__, ""
    return root.__module__, root.__qualname__.partition(".")[0]


@cache
def _bindings(module: str) -> tuple[dict[str, ast.AST], dict[str, tuple[str, str]]]:
    """The definitions of a module by name; and where the names that it imports are defined."""
    tree = ast.parse(inspect.getsource(importlib.import_module(module)))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not _is_text(one)]  # type: ignore[attr-defined]
    defined: dict[str, ast.AST] = {name: node for node in tree.body for name in _bound(node)}
    return defined, dict(_imports(tree.body, module))


def _is_text(node: ast.AST) -> bool:
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _bound(node: ast.stmt) -> list[str]:
    """The names that a statement defines."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    names = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
    return [n.id for n in names if isinstance(n.ctx, ast.Store)]


def _imports(nodes: Iterable[ast.AST], module: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """Names with the module and the name in it that they stand for."""
    here = importlib.import_module(module)
    package = module if hasattr(here, "__path__") else module.rpartition(".")[0]
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name if alias.asname else alias.name.partition(".")[0]
                yield alias.asname or top, (top, "")
        elif isinstance(node, ast.ImportFrom):
            source = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            for alias in node.names:
                value = getattr(importlib.import_module(source), alias.name, None)
                is_module = isinstance(value, ModuleType)
                place = _place_of(value) if is_module else (source, alias.name)
                yield alias.asname or alias.name, place
