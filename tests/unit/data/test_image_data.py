import lightning
import pytest
import torch
from torch.utils.data import DistributedSampler

from isplit.data.images import EpochSampler


def batches(loader, epoch: int = 0):
    loader.sampler.set_epoch(epoch)
    return list(loader)


def same(one, two) -> bool:
    return len(one) == len(two) and all(
        torch.equal(a, b) for pair in zip(one, two, strict=True) for a, b in zip(*pair, strict=True)
    )


def training(data, **changes):
    return data.loader("train", 16, **{"shuffle": True, "augment": True, "seed": 5, **changes})


def test_batches_are_normalised_floats_and_integer_labels(letters):
    data = letters(mean=[0.2, 0.4, 0.6], std=0.5)
    x, y = next(iter(data.loader("test", 8)))
    assert (x.dtype, x.shape) == (torch.float32, (8, 3, 16, 16))
    assert (y.dtype, y.shape) == (torch.int64, (8,))
    values = x * 0.5 + torch.tensor([0.2, 0.4, 0.6])[:, None, None]
    torch.testing.assert_close(values * 255, (values * 255).round(), atol=1e-3, rtol=0)
    assert 0 <= values.min() < 0.2 < 0.8 < values.max() <= 1.0001


def test_the_splits_have_the_sizes_that_were_asked_for(letters):
    data = letters()
    assert [data.size(split) for split in ("train", "validation", "test")] == [90, 30, 40]
    for split in ("train", "validation", "test"):
        assert sum(len(y) for _, y in data.loader(split, 7)) == data.size(split)
        assert data.labels(split) == tuple(
            torch.cat([y for _, y in data.loader(split, 7)]).tolist()
        )


def test_another_epoch_has_another_order_and_other_augmentations(letters):
    loader = training(letters(augment="crop"))
    first, second = batches(loader, 0), batches(loader, 1)
    assert not same(first, second)
    ordered = training(letters(augment="crop"), shuffle=False)
    first, second = batches(ordered, 0), batches(ordered, 1)
    assert all(torch.equal(a[1], b[1]) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0][0], second[0][0])


def test_an_epoch_reached_at_once_equals_the_one_reached_step_by_step(letters):
    loader = training(letters(augment="crop_flip_erase"))
    history = [batches(loader, epoch) for epoch in range(3)]
    resumed = training(letters(augment="crop_flip_erase"))
    assert same(batches(resumed, 2), history[2])


@pytest.mark.parametrize("memory_gb", [1.0, 0.0])
@pytest.mark.parametrize("workers", [1, 2])
def test_workers_and_memory_change_no_batch(letters, workers, memory_gb):
    alone = training(letters(augment="crop_flip"))
    many = training(letters(augment="crop_flip", num_workers=workers, memory_gb=memory_gb))
    for epoch in (0, 3):
        assert same(batches(alone, epoch), batches(many, epoch))


def test_a_loader_leaves_the_global_generator_alone(letters):
    loader = training(letters(augment="crop"))
    torch.manual_seed(1)
    state = torch.get_rng_state()
    batches(loader)
    assert torch.equal(state, torch.get_rng_state())


def test_seeds_do_not_share_their_epochs(letters):
    data = letters()
    labels = {
        (seed, epoch): tuple(torch.cat([y for _, y in batches(training(data, seed=seed), epoch)]))
        for seed in range(3)
        for epoch in range(3)
    }
    assert len({tuple(int(y) for y in order) for order in labels.values()}) == 9


def test_augmentation_happens_only_where_it_is_asked_for(letters):
    data = letters(augment="crop_flip")
    assert data.augmented
    assert not letters().augmented
    plain = letters().loader("train", 90)
    assert same(list(data.loader("train", 90)), list(plain))
    assert not same(list(data.loader("train", 90, augment=True)), list(plain))


@pytest.mark.parametrize("count", [1, 10, 25, 60, 1000])
def test_a_subset_is_fixed_and_balanced(letters, count):
    data = letters()
    labels = torch.cat([y for _, y in data.loader("train", 16, images=count)])
    assert len(labels) == min(count, 90)
    counts = labels.bincount(minlength=10)
    assert counts.max() - counts.min() <= 1
    one, two = (list(data.loader("train", 16, images=count, seed=3)) for _ in range(2))
    assert same(one, two)


def test_a_smaller_subset_is_the_beginning_of_a_larger(letters):
    data = letters()
    small, large = (next(iter(data.loader("train", 90, images=n))) for n in (20, 50))
    assert torch.equal(small[0], large[0][:20])
    other = next(iter(data.loader("train", 90, images=20, seed=1)))
    assert not torch.equal(small[0], other[0])


def test_only_the_wanted_classes_with_their_labels(letters):
    data = letters()
    labels = torch.cat([y for _, y in data.loader("test", 16, classes=["C", "A"])])
    assert labels.unique().tolist() == [0, 2]
    assert len(labels) == 8


def test_unknown_splits_and_classes_name_the_choices(letters):
    data = letters()
    with pytest.raises(ValueError, match="split='val' is none of train, validation, test"):
        data.size("val")
    with pytest.raises(ValueError, match=r"split\.classes: 'K' is none of the 10 classes: A, B, C"):
        data.loader("test", 4, classes=["K"])


def test_a_last_training_batch_of_one_image_is_left_out(letters):
    data = letters()  # 90 training images
    assert [len(y) for _, y in data.loader("train", 89, shuffle=True)] == [89]
    assert [len(y) for _, y in data.loader("train", 88, shuffle=True)] == [88, 2]
    assert [len(y) for _, y in data.loader("train", 89)] == [89, 1]
    assert [len(y) for _, y in data.loader("train", 4, shuffle=True, images=1)] == [1]
    for rank in (0, 1):
        shared = data.loader("train", 8, shuffle=True, images=10, part=(rank, 2))
        assert [len(y) for _, y in shared] == [4], "and not [4, 1]"


def test_the_fingerprint_follows_content_not_paths(letters, keys, tmp_path):
    base = letters().fingerprint
    assert base == letters(cache_dir=tmp_path / "elsewhere").fingerprint
    assert base == letters(num_workers=2, memory_gb=0.0, max_corrupt=3).fingerprint
    changes = (
        {"seed": 1},
        {"difficulty": 0.6},
        {"image_size": 17},
        {"validation_fraction": 0.3},
        {"classes": ["A", "B"]},
        {"images_per_class": 4},
        {"mean": 0.4},
        {"std": 0.4},
        {"augment": "crop"},
        {"test_images": 50},
    )
    assert len({base, *(letters(**change).fingerprint for change in changes)}) == 11


def test_several_replicas_share_an_epoch_between_them():
    samplers = [EpochSampler(range(10), 2, rank, shuffle=True, seed=0) for rank in range(2)]
    for sampler in samplers:
        assert isinstance(sampler, DistributedSampler)  # or Lightning would replace it
        sampler.set_epoch(4)
    visits = [visit for sampler in samplers for visit in sampler]
    assert sorted(visits) == [(4, index) for index in range(10)]


class Recorder(lightning.LightningModule):
    """Trains one number and remembers the batches it saw."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen: dict[int, list[tuple[torch.Tensor, torch.Tensor]]] = {}

    def training_step(self, batch, _):
        self.seen.setdefault(self.current_epoch, []).append(tuple(t.clone() for t in batch))
        return (self.weight - batch[0].mean()) ** 2

    def validation_step(self, batch, _):
        pass

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def fit(folder, data, epochs: int, checkpoint=None) -> Recorder:
    model = Recorder()
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    trainer.fit(model, training(data), data.loader("validation", 64), ckpt_path=checkpoint)
    trainer.save_checkpoint(folder / "last.ckpt")
    return model


@pytest.mark.filterwarnings("ignore::UserWarning:lightning")
@pytest.mark.filterwarnings(
    "ignore::lightning.pytorch.utilities.rank_zero.LightningDeprecationWarning"
)
def test_a_run_resumed_by_lightning_sees_the_batches_of_one_that_never_stopped(letters, tmp_path):
    whole = fit(tmp_path, letters(augment="crop_flip"), epochs=4)
    assert not same(whole.seen[0], whole.seen[1])
    fit(tmp_path, letters(augment="crop_flip"), epochs=2)
    resumed = fit(
        tmp_path, letters(augment="crop_flip"), epochs=4, checkpoint=tmp_path / "last.ckpt"
    )
    assert list(resumed.seen) == [2, 3]
    assert all(same(resumed.seen[epoch], whole.seen[epoch]) for epoch in (2, 3))
    assert torch.equal(resumed.weight, whole.weight)
