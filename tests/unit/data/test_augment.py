import numpy as np
import pytest
import torch

from isplit.data import augment as module
from isplit.data.augment import AUGMENTATIONS, augment, refuse_unknown

IMAGE = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 32, 32), np.uint8))


def drawn(step, seed: int = 0) -> torch.Tensor:
    return step(IMAGE, np.random.default_rng(seed))


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
    assert augment(IMAGE, "none", seed=0, epoch=0, number=0) is IMAGE


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
    shifts = {drawn(module.shifted, seed).numpy().tobytes() for seed in range(300)}
    assert shifts <= windows
    assert len(shifts) > 70  # of 81


def test_a_flip_comes_one_time_in_two():
    flips = [torch.equal(drawn(module.flipped, seed), IMAGE.flip(-1)) for seed in range(400)]
    same = [torch.equal(drawn(module.flipped, seed), IMAGE) for seed in range(400)]
    assert 160 < sum(flips) < 240
    assert sum(flips) + sum(same) == 400


def test_an_erased_square_is_grey_and_the_rest_untouched():
    for seed in range(20):
        changed = (drawn(module.erased, seed) != IMAGE).any(0)
        assert 8 * 8 <= int(changed.sum()) <= 16 * 16
        assert (drawn(module.erased, seed)[:, changed] == 128).all()


def test_rescaling_leaves_a_flat_image_flat_and_zooms_others():
    flat = torch.full((3, 32, 32), 77, dtype=torch.uint8)
    assert (module.rescaled(flat, np.random.default_rng(1)) == 77).all()
    ramp = torch.arange(32).mul(8).to(torch.uint8).expand(3, 32, 32)
    for seed in range(10):
        out = module.rescaled(ramp, np.random.default_rng(seed))[0, 0].int()
        assert 0.45 < (out[-1] - out[0]).item() / (31 * 8) <= 1


def test_brightness_stays_within_its_bounds():
    flat = torch.full((3, 32, 32), 100, dtype=torch.uint8)
    values = {module.brightened(flat, np.random.default_rng(s))[0, 0, 0].item() for s in range(99)}
    assert 29 <= min(values) < 60
    assert 140 < max(values) <= 171


def test_an_unknown_augmentation_names_the_choices():
    with pytest.raises(ValueError, match=r"data\.augment='mixup' is none of none, crop, crop_flip"):
        refuse_unknown("mixup")
