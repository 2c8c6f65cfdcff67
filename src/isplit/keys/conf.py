"""What the files of ``conf/`` say of their keys, in the comment behind each.

``TAKES: what it is for``, as in ``seed: 0  # whole number from 0 up: of everything random``. What
may stand for TAKES is in :mod:`isplit.keys.takes`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import yaml

from isplit.files import conf_folder

COMMENT = re.compile(r"\s#\s+(.*)$")
NO_KEYS = ("defaults", "hydra")  # of isplit
OTHERS_KEYS = "# @package _global_\n"  # begins a file that changes keys of other groups


@dataclass(frozen=True)
class Option:
    """One file of ``conf/``.

    Attributes:
        title: its first comment.
        keys: the comment of each key by its dotted path, with those of the files it begins from;
            none where the file changes keys of other groups.
    """

    title: str
    keys: dict[str, str]


@cache
def options(group: str) -> dict[str, Option]:
    """The files that can be chosen by ``group=name``; of the group ``""`` the commands' own."""
    files = {path.stem: path for path in sorted((conf_folder() / group).glob("*.yaml"))}
    texts = {name: path.read_text(encoding="utf-8") for name, path in files.items()}
    titles = {name: text.removeprefix(OTHERS_KEYS).lstrip("# ") for name, text in texts.items()}
    return {
        name: Option(titles[name].partition("\n")[0], _keys_of(name, texts, group))
        for name in texts
        if not name.startswith("_")
    }


def groups() -> list[str]:
    """The names of the groups whose options have keys of their own."""
    folders = sorted(path.name for path in conf_folder().iterdir() if path.is_dir())
    return [name for name in folders if any(one.keys for one in options(name).values())]


def every_key() -> dict[str, str]:
    """The comment of every key of every command."""
    found = [option.keys for group in ("", *groups()) for option in options(group).values()]
    return {key: says for keys in found for key, says in keys.items()}


def _keys_of(name: str, texts: dict[str, str], group: str) -> dict[str, str]:
    """The keys of one file and of those among its defaults that lie beside it."""
    root = yaml.compose(texts[name], Loader=yaml.CSafeLoader)
    if texts[name].startswith(OTHERS_KEYS) or not isinstance(root, yaml.MappingNode):
        return {}
    defaults = yaml.safe_load(texts[name]).get("defaults", [])
    bases = [base for base in defaults if base in texts] if group else []
    keys = {key: says for base in bases for key, says in _keys_of(base, texts, group).items()}
    root.value = [(key, value) for key, value in root.value if key.value not in NO_KEYS]
    own = dict(_comments(root, texts[name].splitlines(), f"{group}." if group else ""))
    named = {key.rpartition(".")[2]: says for key, says in reversed(own.items()) if says}
    for key, says in own.items():  # a key that says nothing is as the one of its name above it
        keys[key] = says or keys.get(key) or named.get(key.rpartition(".")[2], "")
    return keys


def _comments(node: yaml.MappingNode, lines: list[str], above: str) -> Iterator[tuple[str, str]]:
    for key, value in node.value:
        found = COMMENT.search(lines[key.start_mark.line], key.end_mark.column)
        says = found.group(1) if found else ""
        if isinstance(value, yaml.MappingNode) and value.value and "mapping" not in says:
            yield from _comments(value, lines, f"{above}{key.value}.")
        else:
            yield f"{above}{key.value}", says
