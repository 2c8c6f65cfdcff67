"""Which image has which label and belongs to which split, before any pixel is read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

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
    splits: Mapping[str, Sequence[Labelled]]
    aliases: Mapping[str, int] = field(default_factory=dict)
    passed_over: str = ""

    @property
    def names(self) -> list[str]:
        """The files of all splits, sorted."""
        return sorted({image.name for images in self.splits.values() for image in images})


def limit_images(listing: Listing, images_per_class: int | None, seed: int) -> Listing:
    """At most so many images of each class in each split that is there, drawn by the seed."""
    if images_per_class is None:
        return listing
    splits = {}
    for split, images in listing.splits.items():
        places = zip(images, places_in_class(images, seed), strict=True)
        splits[split] = tuple(image for image, place in places if place < images_per_class)
    return replace(listing, splits=splits)


def balanced(images: Sequence[Labelled], count: int, seed: int) -> list[Labelled]:
    """``count`` images (all, if there are fewer), as equally many of each class as possible.

    Any beginning of it is balanced too, and a smaller choice is the beginning of a larger.
    """
    places = zip(places_in_class(images, seed), images, strict=True)
    in_order = sorted(places, key=lambda placed: (placed[0], placed[1].label))
    return [image for _, image in in_order[:count]]


def carve_validation(listing: Listing, fraction: float, seed: int) -> Listing:
    """The listing with a validation split; where it had none, ``fraction`` of train's images.

    The same fraction of every class is taken (to the nearest image, at least one).
    """
    if "validation" in listing.splits:
        return listing
    train, validation = carve(listing.splits["train"], fraction, seed)
    return replace(listing, splits={**listing.splits, "train": train, "validation": validation})


def carve(
    images: Sequence[Labelled], fraction: float, seed: int
) -> tuple[tuple[Labelled, ...], tuple[Labelled, ...]]:
    """The images in two parts, the second with ``fraction`` of every class, drawn by the seed."""
    sizes = Counter(label for _, label in images)
    taken = {label: max(1, round(fraction * size)) for label, size in sizes.items()}
    parts: tuple[list[Labelled], list[Labelled]] = ([], [])
    for image, place in zip(images, places_in_class(images, seed), strict=True):
        parts[place < taken[image.label]].append(image)
    return tuple(parts[0]), tuple(parts[1])


def describe_copies(listing: Listing, digest_of: Mapping[str, bytes]) -> list[str]:
    """What equal files there are in two splits or under two labels, in words."""
    splits = {s: [digest_of[i.name] for i in images] for s, images in listing.splits.items()}
    said = []
    for one, other in (("test", "train"), ("test", "validation"), ("validation", "train")):
        there = set(splits[other])
        if both := sum(digest in there for digest in splits[one]):
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
