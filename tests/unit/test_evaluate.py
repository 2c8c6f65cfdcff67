"""Evaluation and costs beside counts made by hand."""

import pytest
import torch
from torch import nn

from isplit.bottleneck import make_bottleneck
from isplit.evaluate import cost, evaluate, macs
from isplit.point import SplitPoint


class Echo(nn.Module):
    """Answers with the class written in the first pixel."""

    def forward(self, images):
        return nn.functional.one_hot(images[:, 0, 0, 0].long(), 3).float()


def test_accuracy_and_f1_are_those_counted_by_hand():
    answers = torch.tensor([0, 0, 1, 1, 2])
    labels = torch.tensor([0, 1, 1, 1, 0])
    images = answers.float().view(-1, 1, 1, 1).expand(-1, 3, 2, 2)
    batches = [(images[:2], labels[:2]), (images[2:], labels[2:])]
    found = evaluate(Echo(), batches, num_classes=3)
    assert found.accuracy == 3 / 5
    assert found.f1 == pytest.approx((2 * 1 / 4, 2 * 2 / 5, 0.0))
    assert found.predictions == (0, 0, 1, 1, 2)


def test_an_answer_that_is_no_number_is_no_class():
    images = torch.zeros(4, 3, 2, 2)
    images[1:3] = torch.nan
    with pytest.raises(ValueError, match="the net answers 2 of 4 images by NaN"):
        evaluate(nn.Flatten(), [(images, torch.zeros(4).long())], num_classes=12)


def test_the_cost_of_a_bottleneck_is_that_of_its_layers():
    point = SplitPoint(3, "p", (8, 4, 4), "p", head_macs=70, tail_macs=30, head_params=5)
    bottleneck = make_bottleneck(point, 0.5)
    middle, code = bottleneck.encoder[0].out_channels, bottleneck.code_shape[0]
    found = cost(point, bottleneck)
    assert found.encoder_macs == 9 * (8 * middle * 2 * 2 + middle * code)
    assert found.feature_bytes == 8 * 4 * 4 * 4
    assert found.payload_bytes == code * 4
    assert (found.head_macs, found.tail_macs, found.head_params) == (70, 30, 5)


def test_counting_leaves_the_module_as_it_is():
    layer = nn.Linear(4, 2)
    before = layer.weight.clone()
    assert macs(layer, (4,)) == 8
    assert torch.equal(layer.weight, before)
    assert layer.training
