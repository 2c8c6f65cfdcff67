import hashlib

import pytest
import torch

from isplit.data import fonts
from isplit.data.letters import list_images, render

STYLES = (*fonts.TRAIN_STYLES, *fonts.TEST_STYLES)


def test_36_styles_in_13_families_with_five_held_out():
    assert len(STYLES) == len(set(STYLES)) == 36
    assert len({style.family for style in STYLES}) == 13
    train = {style.family for style in fonts.TRAIN_STYLES}
    assert train.isdisjoint(style.family for style in fonts.TEST_STYLES)
    assert len({style.family for style in fonts.TEST_STYLES}) == 5


def test_every_alphabet_has_the_ten_letters_in_order():
    import unicodedata

    for alphabet in fonts.ALPHABETS.values():
        assert unicodedata.normalize("NFKC", alphabet) == fonts.LETTERS


def test_no_two_glyphs_of_a_style_are_alike_and_none_is_the_missing_glyph():
    ink = fonts.glyphs(STYLES)
    assert ink.shape == (36, 10, fonts.GLYPH_SIZE, fonts.GLYPH_SIZE)
    for style in ink.float().flatten(2):
        apart = torch.cdist(style, style) + 1e9 * torch.eye(10)
        assert apart.min() > 500  # of at most 255 * 64; identical boxes would be 0 apart


def test_the_longest_side_of_every_glyph_fills_the_square():
    for glyph in fonts.glyphs(STYLES).flatten(0, 1):
        inked = glyph > 0
        sides = [int(inked.any(axis).sum()) for axis in (0, 1)]
        assert max(sides) == pytest.approx(fonts.GLYPH_SIZE - 2 * fonts.GLYPH_MARGIN, abs=2)


def test_rendering_is_the_same_for_the_same_seed_only():
    one, two, other = (
        render(30, fonts.TRAIN_STYLES, difficulty=0.7, image_size=16, seed=s) for s in (3, 3, 4)
    )
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])
    assert not torch.equal(one[0], other[0])


@pytest.mark.parametrize("size", [16, 32, 64])
def test_every_letter_is_there_equally_often_at_any_size(size):
    images, labels = render(40, fonts.TEST_STYLES, difficulty=1.0, image_size=size, seed=0)
    assert images.shape == (40, 3, size, size)
    assert images.dtype == torch.uint8
    assert labels.bincount().tolist() == [4] * 10


def test_a_clean_letter_is_two_flat_colours_and_touches_no_border():
    images, _ = render(20, fonts.TRAIN_STYLES, difficulty=0.0, image_size=32, seed=0)
    for image in images:
        paper = image[:, 0, 0]
        border = torch.cat([image[:, 0], image[:, -1], image[:, :, 0], image[:, :, -1]], dim=1)
        assert (border == paper[:, None]).all()
        assert (image == paper[:, None, None]).all(0).sum() > 0.3 * 32 * 32


def test_difficulty_lowers_how_well_the_nearest_class_mean_does():
    def accuracy(difficulty: float) -> float:
        images, labels = render(
            600, fonts.TRAIN_STYLES, difficulty=difficulty, image_size=16, seed=0
        )
        edges = images.float().mean(1)
        ink = (edges - edges.flatten(1).median(1).values[:, None, None]).abs().flatten(1)
        means = torch.stack([ink[:300][labels[:300] == k].mean(0) for k in range(10)])
        return (torch.cdist(ink[300:], means).argmin(1) == labels[300:]).float().mean().item()

    clean, middle, hard = (accuracy(d) for d in (0.0, 0.4, 1.0))
    assert clean > middle + 0.1 > hard + 0.1


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"difficulty": 1.5}, r"data\.difficulty=1\.5 is no number from 0 to 1"),
        ({"train_images": 9}, r"data\.train_images=9 is no whole number from 10 up"),
        ({"test_images": 0}, r"data\.test_images=0 is no whole number from 10 up"),
        ({"test_fraction": 0.5}, r"data\.test_fraction=0\.5 is no key"),
    ],
)
def test_wrong_settings_are_refused(letters, settings, text):
    with pytest.raises(ValueError, match=text):
        letters(**settings)


def test_train_and_test_never_share_an_image(letters):
    data = letters()
    files = {
        split: {hashlib.sha256(x.numpy().tobytes()).digest() for x, _ in _images(data, split)}
        for split in ("train", "validation", "test")
    }
    assert len(set.union(*files.values())) == sum(map(len, files.values())) == 160


def test_no_split_of_any_seed_repeats_the_draws_of_another(tmp_path):
    orders = []
    for seed in range(3):
        listing = list_images(
            image_size=16, cache_dir=tmp_path, seed=seed, train_images=40, test_images=40
        )
        orders += [tuple(y for _, y in listing.splits[split]) for split in ("train", "test")]
    assert len(set(orders)) == 6


def test_a_second_start_reads_the_cache(letters, keys, monkeypatch):
    first = letters()
    (file,) = keys["cache_dir"].glob("letters-*.npz")
    written = file.stat().st_mtime_ns
    monkeypatch.setattr("isplit.data.letters.render", None)  # calling it would fail
    assert letters().fingerprint == first.fingerprint
    assert file.stat().st_mtime_ns == written
    assert list(keys["cache_dir"].iterdir()) == [file]


def _images(data, split):
    for x, y in data.loader(split, 10):
        yield from zip(x, y, strict=True)
