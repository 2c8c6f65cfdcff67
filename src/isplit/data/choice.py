"""Which classes of a data set are used: from the words of a config to labels."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import yaml

from isplit.data.listing import Labelled, Listing


def choose_classes(listing: Listing, classes: Sequence[str | int] | None) -> Listing:
    """The images of the chosen classes only, labelled 0, 1 ... in the order of ``classes``.

    A class is chosen by its name, another name it has, or its number; ``None`` keeps all.

    Raises:
        ValueError: a class that is unknown or there twice, or fewer than two of them.
    """
    if classes is None:
        return listing
    chosen = class_labels("data.classes", classes, listing.class_names, listing.aliases)
    if len(set(chosen)) < max(2, len(chosen)):
        raise ValueError(
            f"data.classes={list(classes)} must name at least two classes, each of them once"
        )
    return _merged(listing, {listing.class_names[label]: [label] for label in chosen})


def group_classes(listing: Listing, groups: Mapping[str, Sequence[str | int]] | None) -> Listing:
    """The images of the groups only, labelled 0, 1 ... in the order of ``groups``.

    Raises:
        ValueError: a class that is unknown or in two groups, fewer than two groups, an empty one.
    """
    if groups is None:
        return listing
    _refuse_typed("data.groups", groups)
    if numbers := [name for name in groups if not isinstance(name, str)]:
        raise ValueError(f"data.groups: write the group's name in quotes: '{numbers[0]}'")
    members = {
        name: class_labels(f"data.groups.{name}", classes, listing.class_names, listing.aliases)
        for name, classes in groups.items()
    }
    every = [label for labels in members.values() for label in labels]
    if len(groups) < 2 or not all(members.values()) or len(set(every)) < len(every):
        raise ValueError(
            "data.groups must have at least two groups of at least one class, no class in two: "
            + ", ".join(f"{name} ({len(labels)})" for name, labels in members.items())
        )
    return _merged(listing, members)


def class_labels(
    key: str,
    wanted: Sequence[str | int],
    class_names: Sequence[str],
    aliases: Mapping[str, int] | None = None,
) -> list[int]:
    """The label of each class that is wanted by name, another name it has, or number.

    Raises:
        ValueError: no list, a class that is unknown, or a word that YAML has changed.
    """
    if isinstance(wanted, str) or not isinstance(wanted, Sequence):
        raise ValueError(f"{key}={wanted!r} is no list; write [{wanted}]")
    _refuse_typed(key, wanted)
    labels = {**(aliases or {}), **{name: label for label, name in enumerate(class_names)}}
    unknown = [word for word in wanted if isinstance(word, str) and word not in labels]
    if unknown:
        raise _unknown(key, unknown[0], class_names)
    return [
        labels[word] if isinstance(word, str) else _number_of(key, word, class_names)
        for word in wanted
    ]


def _refuse_typed(key: str, wanted: Iterable[object]) -> None:
    """Refuse names that YAML has turned into something else than text or a whole number."""
    for word in wanted:
        if isinstance(word, bool) or not isinstance(word, str | int):
            raise ValueError(
                f"{key}: {word!r} is what YAML makes of a word such as no, null or 1e3; write the"
                " class in quotes: 'no'"
            )


def _number_of(key: str, number: int, class_names: Sequence[str]) -> int:
    """The label that a whole number stands for: of the class so named, else the number itself.

    It is refused where it may have been another name before YAML read it (010 is 8 there).
    """
    numeric = [name for name in class_names if _is_like_a_number(name)]
    if not numeric and 0 <= number < len(class_names):
        return number
    if not numeric:
        raise _unknown(key, number, class_names)
    if str(number) in numeric and all(re.fullmatch("0|[1-9][0-9]*", name) for name in numeric):
        return class_names.index(str(number))
    raise ValueError(
        f"{key}: the number {number} may stand for another class: {', '.join(class_names)};"
        f" write the class in quotes: '{number}'"
    )


def _is_like_a_number(name: str) -> bool:
    """Whether YAML could read a name as a number."""
    try:
        value = yaml.safe_load(name)
    except yaml.YAMLError:
        value = None
    return re.fullmatch("[0-9]+", name) is not None or type(value) in (int, float)


def _unknown(key: str, wanted: object, class_names: Sequence[str]) -> ValueError:
    count = len(class_names)
    return ValueError(
        f"{key}: {wanted!r} is none of the {count} classes: {', '.join(class_names)},"
        f" nor a number below {count}"
    )


def _merged(listing: Listing, groups: Mapping[str, Sequence[int]]) -> Listing:
    """The images of the groups' classes, labelled by their group."""
    new_label = {old: new for new, labels in enumerate(groups.values()) for old in labels}
    splits = {
        split: tuple(Labelled(name, new_label[old]) for name, old in images if old in new_label)
        for split, images in listing.splits.items()
    }
    aliases = {a: new_label[old] for a, old in listing.aliases.items() if old in new_label}
    return replace(listing, class_names=tuple(groups), splits=splits, aliases=aliases)
