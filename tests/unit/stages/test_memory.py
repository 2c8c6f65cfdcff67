"""What is said of memory before anything is trained, and how many images go at once."""

import logging

import torch
from torch import nn

from isplit.stages import Workbench, memory


class Data:
    def __init__(self, image_size):
        self.image_size = image_size


def at_once(image_size, asked, usual=250):
    return Workbench(Data(image_size), None, None, 0).at_once(asked, usual)


def test_images_at_once_shrink_with_their_size():
    assert [at_once(size, "auto") for size in (32, 64, 128, 224, 4096)] == [250, 250, 62, 20, 1]
    assert at_once(224, 7) == 7


def test_a_step_counts_what_autograd_keeps_and_four_copies_of_the_weights():
    net = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.ReLU(inplace=True))
    images, maps, weights = 3 * 16 * 16 * 4, 4 * 16 * 16 * 4, 3 * 4 * 9 * 4
    assert memory.step_bytes(net, 16, 10) == 10 * (images + maps) + 4 * weights
    assert memory.step_bytes(net.requires_grad_(False), 16, 10) == 0


def test_what_cannot_be_counted_is_not_guessed():
    class Odd(nn.Module):
        def forward(self, x):
            return x * float(x.mean())

    assert memory.step_bytes(Odd(), 16, 10) is None


def test_a_step_that_does_not_fit_is_said_with_the_key(caplog):
    net = nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.ReLU())
    device = torch.device("cpu")
    with caplog.at_level(logging.WARNING):
        memory.say_if_too_large("finetune", net, 32, 4, device)
        assert not caplog.messages
        memory.say_if_too_large("finetune", net, 512, 10**7, device)
    assert "stage.finetune.batch_size=10000000 takes at least" in caplog.text
