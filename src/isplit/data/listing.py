"""Which image has which label and belongs to which split, before any pixel is read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import yaml

from isplit.data.files import Files

SPLITS = ("train", "validation", "test")


class Labelled(NamedTuple):
    """One image: the name of its file and the number of its class."""

    name: str
    label: int


@dataclass(frozen=True)
class Listing:
    """The labelled files of a data set.

    Attributes:
        files: give the contents by name.
        class_names: one per label.
        splits: the images of ``train`` (to learn from), ``validation`` (to select a model on) and
            ``test`` (reported, never used to choose anything). Without a ``validation`` its
            images are still among those of ``train``.
        aliases: other names of the classes (WordNet ids), with the label each stands for.
        passed_over: files that are not used, in words.
    """

    files: Files
    class_names: tuple[str, ...]
    splits: Mapping[str, tuple[Labelled, ...]]
    aliases: Mapping[str, int] = field(default_factory=dict)
    passed_over: str = ""


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
    new_label = {old: new for new, old in enumerate(chosen)}
    return replace(
        listing,
        class_names=tuple(listing.class_names[label] for label in chosen),
        splits={split: _relabel(images, new_label) for split, images in listing.splits.items()},
        aliases={a: new_label[old] for a, old in listing.aliases.items() if old in new_label},
    )


def group_classes(listing: Listing, groups: Mapping[str, Sequence[str | int]] | None) -> Listing:
    """The images of the groups only, labelled 0, 1 ... in the order of ``groups``.

    Raises:
        ValueError: a class that is unknown or in two groups, fewer than two groups, an empty one.
    """
    if groups is None:
        return listing
    _refuse_typed("data.groups", groups)
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
    new_label = {old: new for new, labels in enumerate(members.values()) for old in labels}
    splits = {split: _relabel(images, new_label) for split, images in listing.splits.items()}
    return replace(listing, class_names=tuple(members), splits=splits, aliases={})


def limit_images(listing: Listing, images_per_class: int | None, seed: int) -> Listing:
    """At most so many images of each class in each split that is there, drawn by the seed.

    Raises:
        ValueError: ``images_per_class`` is not positive.
    """
    if images_per_class is None:
        return listing
    if images_per_class < 1:
        raise ValueError(f"data.images_per_class={images_per_class} is neither null nor positive")
    splits = {
        split: _first_of_each_class(images, images_per_class, seed)
        for split, images in listing.splits.items()
    }
    return replace(listing, splits=splits)


def carve_validation(listing: Listing, fraction: float, seed: int) -> Listing:
    """The listing with a validation split; where it had none, ``fraction`` of train's images.

    The same fraction of every class is taken (to the nearest image, at least one).

    Raises:
        ValueError: the fraction is not between 0 and 1.
    """
    if "validation" in listing.splits:
        return listing
    key = "data.validation_fraction"
    train, validation = carve(listing.splits["train"], fraction, seed, key=key)
    return replace(listing, splits={**listing.splits, "train": train, "validation": validation})


def carve(
    images: Sequence[Labelled], fraction: float, seed: int, *, key: str
) -> tuple[tuple[Labelled, ...], tuple[Labelled, ...]]:
    """The images in two parts, the second with ``fraction`` of every class, drawn by the seed."""
    if not 0 < fraction < 1:
        raise ValueError(f"{key}={fraction} does not lie between 0 and 1")
    sizes = Counter(label for _, label in images)
    taken = {label: max(1, round(fraction * size)) for label, size in sizes.items()}
    places = places_in_class(images, seed)
    kept = [image for image, p in zip(images, places, strict=True) if p >= taken[image.label]]
    carved = [image for image, p in zip(images, places, strict=True) if p < taken[image.label]]
    return tuple(kept), tuple(carved)


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


def describe_copies(listing: Listing, digest_of: Mapping[str, bytes]) -> list[str]:
    """What equal files there are in two splits or under two labels, in words."""
    splits = {s: [digest_of[i.name] for i in images] for s, images in listing.splits.items()}
    said = []
    for one, other in (("test", "train"), ("test", "validation"), ("validation", "train")):
        both = sum(digest in set_ for set_ in [set(splits[other])] for digest in splits[one])
        if both:
            said.append(f"{both} of {len(splits[one])} {one} images are also in {other}")
    labels: dict[bytes, set[int]] = {}
    for images in listing.splits.values():
        for name, label in images:
            labels.setdefault(digest_of[name], set()).add(label)
    several = sum(len(those) > 1 for those in labels.values())
    return [*said, f"{several} images stand under two labels"] if several else said


def refuse_empty_classes(listing: Listing) -> None:
    """Raise ValueError if a class has no image in one of the splits, naming all such classes."""
    for split in SPLITS:
        present = {label for _, label in listing.splits[split]}
        empty = [name for label, name in enumerate(listing.class_names) if label not in present]
        if empty:
            raise ValueError(
                f"no {split} image of class {', '.join(empty)}; choose others by data.classes,"
                f" or raise data.images_per_class{listing.passed_over}"
            )


def places_in_class(images: Sequence[Labelled], seed: int) -> list[int]:
    """For each image its place in the shuffled order of its own class, from 0.

    Choosing by this place keeps the classes balanced, and a smaller choice is part of a larger.
    """
    ticket = np.random.default_rng(seed).permutation(len(images))
    place, seen = [0] * len(images), Counter[int]()
    for index in np.argsort(ticket):
        label = images[index].label
        place[index] = seen[label]
        seen[label] += 1
    return place


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
    readings = {name: _readings(name) for name in class_names}
    candidates = [name for name, values in readings.items() if number in values]
    if candidates == [str(number)]:
        return class_names.index(str(number))
    if not any(readings.values()) and 0 <= number < len(class_names):
        return number
    if candidates or any(readings.values()):
        raise ValueError(
            f"{key}: the number {number} may stand for another class: {', '.join(class_names)};"
            f" write the class in quotes: '{candidates[0] if candidates else number}'"
        )
    raise _unknown(key, number, class_names)


def _readings(name: str) -> set[int]:
    """The whole numbers that YAML could make of a name, as it is and with zeros before it."""
    readings = {int(name)} if name.isascii() and name.isdigit() else set()
    readings |= {int(name, 8)} if re.fullmatch("[0-7]+", name) else set()
    try:
        value = yaml.safe_load(name)
    except yaml.YAMLError:
        value = None
    return readings | ({int(value)} if isinstance(value, int | float) and value == value else set())


def _unknown(key: str, wanted: object, class_names: Sequence[str]) -> ValueError:
    count = len(class_names)
    return ValueError(
        f"{key}: {wanted!r} is none of the {count} classes: {', '.join(class_names)},"
        f" nor a number below {count}"
    )


def _relabel(images: Sequence[Labelled], new_label: Mapping[int, int]) -> tuple[Labelled, ...]:
    return tuple(Labelled(name, new_label[old]) for name, old in images if old in new_label)


def _first_of_each_class(images: Sequence[Labelled], count: int, seed: int) -> tuple[Labelled, ...]:
    places = places_in_class(images, seed)
    return tuple(image for image, place in zip(images, places, strict=True) if place < count)
