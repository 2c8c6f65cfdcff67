import numpy as np
import pytest
import torch

from isplit.data.images import AUGMENTATIONS, augment, steps

IMAGE = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 32, 32), np.uint8))


def drawn(name: str, number: int, image: torch.Tensor = IMAGE) -> torch.Tensor:
    return augment(image, name, seed=0, epoch=0, number=number)


@pytest.fixture
def step(monkeypatch):
    """Draws from a single step of the augmentations."""

    def draw(name: str, number: int, image: torch.Tensor = IMAGE) -> torch.Tensor:
        monkeypatch.setitem(AUGMENTATIONS, name, (name,))
        return drawn(name, number, image)

    yield draw
    steps.cache_clear()


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_the_same_visit_gives_the_same_image(name):
    before = IMAGE.clone()
    visits = [augment(IMAGE, name, seed=1, epoch=2, number=3) for _ in range(2)]
    assert torch.equal(*visits)
    assert torch.equal(IMAGE, before)
    assert visits[0].shape == IMAGE.shape
    assert visits[0].dtype == torch.uint8


@pytest.mark.parametrize("name", sorted(set(AUGMENTATIONS) - {"none"}))
@pytest.mark.parametrize("changed", ["seed", "epoch", "number"])
def test_another_seed_epoch_or_image_gives_another(name, changed):
    visit = {"seed": 0, "epoch": 0, "number": 0}
    others = [augment(IMAGE, name, **{**visit, changed: value}) for value in range(8)]
    assert len({other.numpy().tobytes() for other in others}) > 4


def test_none_changes_nothing():
    assert torch.equal(augment(IMAGE, "none", seed=0, epoch=0, number=0), IMAGE)


def test_no_global_randomness_is_used_or_touched():
    torch.manual_seed(0)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    for name in AUGMENTATIONS:
        augment(IMAGE, name, seed=0, epoch=0, number=0)
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()  # noqa: NPY002


def test_a_shift_is_a_window_of_the_mirrored_image():
    wide = torch.from_numpy(np.pad(IMAGE.numpy(), ((0, 0), (4, 4), (4, 4)), mode="reflect"))
    windows = {
        wide[:, t : t + 32, x : x + 32].numpy().tobytes() for t in range(9) for x in range(9)
    }
    shifts = {drawn("crop", number).numpy().tobytes() for number in range(300)}
    assert shifts <= windows
    assert len(shifts) > 70  # of 81


def test_a_flip_comes_one_time_in_two(step):
    flips = [torch.equal(step("flip", number), IMAGE.flip(-1)) for number in range(400)]
    same = [torch.equal(step("flip", number), IMAGE) for number in range(400)]
    assert 160 < sum(flips) < 240
    assert sum(flips) + sum(same) == 400


def test_an_erased_square_is_grey_and_the_rest_untouched(step):
    for number in range(20):
        erased = step("erase", number)
        changed = (erased != IMAGE).any(0)
        assert 0.95 * 16 * 16 < int(changed.sum()) <= 16 * 16
        assert (erased[:, changed] == 128).all()


def test_a_resized_crop_leaves_a_flat_image_flat_and_zooms_others(step):
    flat = torch.full((3, 32, 32), 77, dtype=torch.uint8)
    assert (step("resized_crop", 1, flat) == 77).all()
    ramp = torch.arange(32).mul(8).to(torch.uint8).expand(3, 32, 32)
    for number in range(10):
        out = drawn("resized_crop_flip", number, ramp)[0, 0].int()
        assert 0.4 < (out[-1] - out[0]).abs().item() / (31 * 8) <= 1


def test_light_stays_within_its_bounds(step):
    flat = torch.full((3, 32, 32), 100, dtype=torch.uint8)
    values = {step("light", number, flat)[0, 0, 0].item() for number in range(99)}
    assert 79 <= min(values) < 85
    assert 115 < max(values) <= 121
