"""Weights that were made elsewhere: whether they answer better than chance."""

import logging
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from isplit.data.listing import Labelled, balanced
from isplit.runs.unsplit import LOOKED_AT, _above_chance


class Batches(list):
    """Batches of images that hold their label, and the data set that they are of."""

    def __init__(self, labelled):
        labels = torch.tensor([image.label for image in labelled])
        super().__init__([(labels[:, None].float(), labels)])
        self.dataset = SimpleNamespace(labelled=labelled)


def bench(*counts):
    images = [Labelled(f"{k}-{n}", k) for k, count in enumerate(counts) for n in range(count)]
    data = SimpleNamespace(
        size=lambda _: len(images),
        num_classes=len(counts),
        loader=lambda *_, images, seed, all=images: Batches(
            balanced(all, images, seed) if images else all
        ),
    )
    engine = SimpleNamespace(device=torch.device("cpu"))
    return SimpleNamespace(data=data, engine=engine, seed=0)


class Constant(nn.Module):
    """Always the last class."""

    def forward(self, x):
        return torch.tensor([0.0, 1.0]).expand(len(x), 2)


class Right(nn.Module):
    """Reads the label off the image."""

    def forward(self, x):
        return torch.cat([-x, x - 1], 1)


@pytest.mark.parametrize("counts", [(150, 1350), (20, 180), (1000, 1000), (3, LOOKED_AT - 3)])
def test_a_net_that_always_answers_the_commonest_class_is_at_chance(counts, caplog):
    caplog.set_level(logging.INFO)
    assert not _above_chance(bench(*counts), Constant())
    shown = counts if sum(counts) <= LOOKED_AT else [min(counts), LOOKED_AT - min(counts)]
    shown = [500, 500] if counts == (1000, 1000) else shown
    assert f"(chance {max(shown) / sum(shown):.3f})" in caplog.text
    assert "the weights answer near chance" in caplog.text
    assert _above_chance(bench(*counts), Right())
