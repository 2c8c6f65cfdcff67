from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isplit.data.choice import choose_classes
from isplit.data.files import array_files
from isplit.data.listing import (
    Labelled,
    Listing,
    carve,
    carve_validation,
    limit_images,
    places_in_class,
    refuse_empty_classes,
)


def images(*counts: int, prefix: str = "") -> tuple[Labelled, ...]:
    """``counts[k]`` images of class k, the classes interleaved."""
    pairs = [(n, k) for k, count in enumerate(counts) for n in range(count)]
    return tuple(Labelled(f"{prefix}{k}-{n}", k) for n, k in sorted(pairs))


@pytest.fixture
def listing() -> Listing:
    splits = {"train": images(8, 12, 20), "test": images(4, 4, 4, prefix="t")}
    source = array_files(np.zeros((0, 1, 1), np.uint8))
    return Listing(source, ("cat", "dog", "two"), splits, aliases={"n02": 0, "n01": 1})


def test_chosen_classes_are_labelled_in_the_order_they_were_asked_for(listing):
    chosen = choose_classes(listing, ["two", "cat"])
    assert chosen.class_names == ("two", "cat")
    assert Counter(label for _, label in chosen.splits["train"]) == {0: 20, 1: 8}
    assert all(name.lstrip("t")[0] == "20"[label] for name, label in chosen.splits["test"])
    assert chosen.aliases == {"n02": 1}


def test_a_class_is_chosen_by_name_alias_or_number(listing):
    assert choose_classes(listing, ["n01", "cat"]).class_names == ("dog", "cat")
    assert choose_classes(listing, [1, 0]).class_names == ("dog", "cat")


def test_a_number_that_is_also_a_name_is_the_name():
    names = tuple(str(n) for n in sorted(range(11), key=str))  # 0, 1, 10, 2 ... as folders sort
    listing = Listing(array_files(np.zeros((0, 1, 1), np.uint8)), names, {"train": (), "test": ()})
    assert choose_classes(listing, [10, 2]).class_names == ("10", "2")


def test_no_choice_keeps_everything(listing):
    assert choose_classes(listing, None) is listing
    assert limit_images(listing, None, seed=0) is listing


@pytest.mark.parametrize("wanted", ["cow", 3, -1, "CAT"])
def test_an_unknown_class_is_named_with_the_choices(listing, wanted):
    with pytest.raises(ValueError, match=rf"data\.classes: {wanted!r} is none of the 3 .*cat, dog"):
        choose_classes(listing, ["cat", wanted])


@pytest.mark.parametrize("classes", [[], ["cat"], ["cat"] * 2, ["cat", 0], ["dog", "n01", "two"]])
def test_fewer_than_two_classes_or_one_twice_is_refused(listing, classes):
    with pytest.raises(ValueError, match=r"must name at least two classes, each of them once"):
        choose_classes(listing, classes)


def test_images_per_class_limits_every_split(listing):
    limited = limit_images(listing, 5, seed=0)
    assert Counter(label for _, label in limited.splits["train"]) == {0: 5, 1: 5, 2: 5}
    assert Counter(label for _, label in limited.splits["test"]) == {0: 4, 1: 4, 2: 4}


def test_fewer_images_are_a_part_of_more(listing):
    small, large = (set(limit_images(listing, n, seed=1).splits["train"]) for n in (3, 7))
    assert small < large < set(listing.splits["train"])


def test_validation_takes_its_part_of_every_class_out_of_train(listing):
    carved = carve_validation(listing, 0.25, seed=0)
    assert Counter(label for _, label in carved.splits["validation"]) == {0: 2, 1: 3, 2: 5}
    assert set(carved.splits["train"]) | set(carved.splits["validation"]) == set(
        listing.splits["train"]
    )
    assert carved.splits["test"] == listing.splits["test"]


def test_a_validation_split_that_is_there_is_kept(listing):
    carved = carve_validation(listing, 0.5, seed=0)
    assert carve_validation(carved, 0.25, seed=1) is carved


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=60),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 1000),
)
def test_carving_loses_nothing_and_takes_the_nearest_count(labels, fraction, seed):
    everything = tuple(Labelled(str(n), label) for n, label in enumerate(labels))
    kept, carved = carve(everything, fraction, seed)
    assert sorted(kept + carved) == sorted(everything)
    for label, count in Counter(labels).items():
        taken = sum(image.label == label for image in carved)
        assert taken == max(1, round(fraction * count))


def test_a_class_without_images_is_named_with_its_split(listing):
    carved = carve_validation(listing, 0.25, seed=0)
    refuse_empty_classes(carved)
    without = [image for image in carved.splits["test"] if image.label != 1]
    with pytest.raises(
        ValueError, match=r"no test image of class dog; choose others by data\.class"
    ):
        refuse_empty_classes(
            Listing(carved.files, carved.class_names, {**carved.splits, "test": tuple(without)})
        )


@given(labels=st.lists(st.integers(0, 3), max_size=40), seed=st.integers(0, 100))
def test_places_number_each_class_from_zero(labels, seed):
    everything = [Labelled("", label) for label in labels]
    places = places_in_class(everything, seed)
    for label in set(labels):
        of_class = [place for place, one in zip(places, labels, strict=True) if one == label]
        assert sorted(of_class) == list(range(len(of_class)))


def test_the_seed_changes_who_is_chosen():
    everything = images(50, 50)
    assert places_in_class(everything, 0) == places_in_class(everything, 0)
    assert places_in_class(everything, 0) != places_in_class(everything, 1)
