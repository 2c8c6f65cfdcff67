"""Which folders of a data set are its splits, and which are classes."""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence

from isplit.files import shown

_SPLIT_OF_WORD = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation", "holdout"), "test"),
}
_FILLERS = {
    *("set", "data", "dataset", "image", "images", "img", "imgs", "pictures", "photos", "files"),
}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_JOINED = re.compile(r"(.+?)(?:set|data|images|imgs|img)")


class _Folders:
    """Folders inside each folder, and how many images lie in it and below it."""

    def __init__(self, names: Iterable[str], images: Collection[str]) -> None:
        self.inside: defaultdict[str, set[str]] = defaultdict(set)
        self.direct: Counter[str] = Counter()
        self.below: Counter[str] = Counter()
        for name in names:
            path = name[: name.rfind("/") + 1]
            self.direct[path] += name in images
            while path:
                self.below[path] += name in images
                outer = path[: path.rfind("/", 0, -1) + 1]
                self.inside[outer].add(path)
                path = outer

    def with_images(self, path: str) -> list[str]:
        return sorted(child for child in self.inside[path] if self.below[child])


def find_splits(names: Iterable[str], images: Collection[str]) -> dict[str, str]:
    """The folder (with a slash, or ``""``) that holds the class folders of each split.

    Usual names in any case are known (``Training``, ``test_set``, ``seg_train``), folders around
    the set are looked through. Without splits all class folders are ``train``.

    Raises:
        ValueError: a layout that is not clear.
    """
    folders = _Folders(names, images)
    top = _look_through(folders, "")
    children = folders.with_images(top)
    named = _named_splits(children)
    splits = {child: split for child, split in named.items() if folders.with_images(child)}
    bare = [child for child in named if child not in splits]
    if not splits:
        if len(bare) > 1 or any(named[child] == "test" for child in bare):
            raise ValueError(
                f"data.root: {shown(bare)} hold images without class folders; put them into one"
                " folder per class, or rename the folder if it is a class"
            )
        found = {"train": top}
    else:
        _refuse_unclear(splits, [child for child in children if child not in named])
        found = {split: _look_through(folders, child) for child, split in splits.items()}
    for folder in found.values():
        _refuse_parts(folders, folder)
    return {split: found[split] for split in ("train", "validation", "test") if split in found}


def _look_through(folders: _Folders, path: str) -> str:
    """Down through folders that are alone around the set, or around a split's class folders."""
    in_split = bool(path)
    while not folders.direct[path] and len(folders.inside[path]) == 1:
        (child,) = folders.inside[path]
        split, others = _word_of(child)
        stop = split is None and others if in_split else split
        if stop or not folders.with_images(child):
            break
        path = child
    return path


def _named_splits(children: Sequence[str]) -> dict[str, str]:
    """The split that each folder's name says; other words in it must come in two names."""
    words = {child: _word_of(child) for child in children}
    times = Counter(rest for split, rest in words.values() if split)
    return {
        c: split for c, (split, rest) in words.items() if split and (not rest or times[rest] > 1)
    }


def _word_of(path: str) -> tuple[str | None, tuple[str, ...]]:
    """The split in a folder's name, if there is one, and its other words."""
    words = [word.lower() for word in _WORD.findall(path.rstrip("/").rpartition("/")[2])]
    words = [m[1] if (m := _JOINED.fullmatch(w)) and m[1] in _SPLIT_OF_WORD else w for w in words]
    found = [word for word in words if word in _SPLIT_OF_WORD]
    rest = tuple(word for word in words if word not in _FILLERS and word not in found)
    return (_SPLIT_OF_WORD[found[0]] if len(found) == 1 else None), rest


def _refuse_unclear(splits: dict[str, str], others: Sequence[str]) -> None:
    twice = [child for child, split in splits.items() if list(splits.values()).count(split) > 1]
    if twice:
        raise ValueError(f"data.root: {shown(twice)} are named like the same split; keep one")
    if "train" not in splits.values():
        raise ValueError(
            f"data.root: there is {shown(splits)} but no folder of train; found beside it:"
            f" {shown(others) or 'nothing'}"
        )
    if len(splits) == 1 and others:
        raise ValueError(
            f"data.root: {shown(splits)} holds class folders, and {shown(others)} beside it hold"
            " images too: a split or a class? Rename it, or give data.root the folder itself"
        )


def _refuse_parts(folders: _Folders, path: str) -> None:
    """Folders that hold the same folders are parts of a set (folds), not its classes."""
    outer = [c for c in folders.with_images(path) if not folders.direct[c]]
    inner = [{i[len(c) : -1] for i in folders.with_images(c)} - _FILLERS for c in outer]
    if len(outer) < 2 or not set.union(*inner):
        return
    common, every = set.intersection(*inner), set.union(*inner)
    if 2 * len(common) >= len(every):
        raise ValueError(
            f"data.root: {shown(outer)} all hold folders {shown(sorted(common))}: parts of a set"
            " are no classes; name them train/ and test/ with the class folders inside"
        )
