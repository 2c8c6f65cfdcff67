"""Which image has which label and belongs to which split, before any pixel is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from isplit.data.source import Source

SPLITS = ("train", "validation", "test")


class Labelled(NamedTuple):
    """One image: the name of its file and the number of its class."""

    name: str
    label: int


@dataclass(frozen=True)
class Listing:
    """The labelled files of a data set.

    Attributes:
        source: gives the bytes of a file by its name.
        class_names: one per label.
        splits: the images of ``train`` (to learn from), ``validation`` (to select a model on) and
            ``test`` (reported, never used to choose anything). Without a ``validation`` its
            images are still among those of ``train``.
        aliases: other names of the classes (WordNet ids), with the label each stands for.
    """

    source: Source
    class_names: tuple[str, ...]
    splits: Mapping[str, tuple[Labelled, ...]]
    aliases: Mapping[str, int] = field(default_factory=dict)


def choose_classes(listing: Listing, classes: Sequence[str | int] | None) -> Listing:
    """The images of the chosen classes only, labelled 0, 1 ... in the order of ``classes``.

    A class is chosen by its name, another name it has, or its number; ``None`` keeps all.

    Raises:
        ValueError: a class that is unknown or there twice, or fewer than two of them.
    """
    if classes is None:
        return listing
    chosen = [_label_of(listing, wanted) for wanted in classes]
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
    members = {name: [_label_of(listing, c) for c in classes] for name, classes in groups.items()}
    every = [label for labels in members.values() for label in labels]
    if len(groups) < 2 or not all(members.values()) or len(set(every)) < len(every):
        raise ValueError(
            "data.groups must have at least two groups of at least one class, no class in two: "
            + ", ".join(f"{name} ({len(labels)})" for name, labels in members.items())
        )
    new_label = {old: new for new, labels in enumerate(members.values()) for old in labels}
    splits = {split: _relabel(images, new_label) for split, images in listing.splits.items()}
    return replace(listing, class_names=tuple(map(str, members)), splits=splits, aliases={})


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


def refuse_empty_classes(listing: Listing) -> None:
    """Raise ValueError if a class has no image in one of the splits, naming all such classes."""
    for split in SPLITS:
        present = {label for _, label in listing.splits[split]}
        empty = [name for label, name in enumerate(listing.class_names) if label not in present]
        if empty:
            raise ValueError(
                f"no {split} image of class {', '.join(empty)}; choose others by data.classes,"
                " or raise data.images_per_class"
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


def _label_of(listing: Listing, wanted: str | int) -> int:
    """A name comes before a number: in a folder of classes 0..10 the class "10" is the second."""
    if str(wanted) in listing.class_names:
        return listing.class_names.index(str(wanted))
    if str(wanted) in listing.aliases:
        return listing.aliases[str(wanted)]
    if isinstance(wanted, int) and 0 <= wanted < len(listing.class_names):
        return wanted
    raise ValueError(
        f"data.classes: {wanted!r} is none of the {len(listing.class_names)} classes:"
        f" {', '.join(listing.class_names)}, nor a number below {len(listing.class_names)}"
    )


def _relabel(images: Sequence[Labelled], new_label: Mapping[int, int]) -> tuple[Labelled, ...]:
    return tuple(Labelled(name, new_label[old]) for name, old in images if old in new_label)


def _first_of_each_class(images: Sequence[Labelled], count: int, seed: int) -> tuple[Labelled, ...]:
    places = places_in_class(images, seed)
    return tuple(image for image, place in zip(images, places, strict=True) if place < count)
