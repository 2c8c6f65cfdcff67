"""Which outputs of a net for more classes stand for those of the data."""

import pytest
import torch
from torch import nn

from isplit.backbones import keep_outputs
from isplit.data.class_map import Outputs, outputs_for

FILE = "n01\ttench, Tinca tinca\nn02\tGoldfish\nn03\tcrane\nn04\tcrane, lifting device\n"


@pytest.fixture
def names(tmp_path):
    path = tmp_path / "names.txt"
    path.write_text(FILE)
    return str(path)


@pytest.mark.parametrize(
    ("classes", "aliases", "chosen"),
    [
        (["goldfish", "tench"], {}, (1, 0)),
        (["TINCA_TINCA", "lifting device"], {}, (0, 3)),
        (["n04", "n01"], {}, (3, 0)),
        (["crane", "crane (bird)"], {"n04": 0, "n03": 1}, (3, 2)),
    ],
)
def test_a_class_is_found_by_any_of_its_names(names, classes, aliases, chosen):
    assert outputs_for(names, classes, aliases) == Outputs(4, chosen)


def test_a_line_is_an_output_whatever_is_in_it(tmp_path):
    path = tmp_path / "names.txt"
    path.write_bytes("\ufeffcat\r\n\r\nred\x0cpanda\r\ndog\r\n\r\n".encode())
    assert outputs_for(str(path), ["dog", "cat"]) == Outputs(4, (3, 0))
    path.write_text("\ncat\ndog\n")
    assert outputs_for(str(path), ["cat", "dog"]) == Outputs(3, (1, 2)), "the first has no name"


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (
            ["tench", "whale"],
            r"'whale' stands for none of 4 outputs; a file with a line per output",
        ),
        (["tench", "crane"], r"'crane' stands for the outputs \[2, 3\]; a file"),
        (["tench", "n01"], r"data.class_map=.*: tench, n01 stand for one output"),
    ],
)
def test_what_is_not_clear_is_refused(names, classes, message):
    with pytest.raises(ValueError, match=message):
        outputs_for(names, classes)


def test_a_file_that_is_none(tmp_path):
    for path in (tmp_path / "nowhere.txt", tmp_path):
        with pytest.raises(ValueError, match=r"is neither imagenet nor a text file: "):
            outputs_for(str(path), ["a", "b"])


def test_imagenet_by_torchvisions_names_and_wordnet_ids():
    assert outputs_for("imagenet", ["goldfish", "school bus"]) == Outputs(1000, (1, 779))
    pytest.importorskip("timm", reason="WordNet ids come with timm")
    by_id = outputs_for("imagenet", ["a crane", "b"], {"n02012849": 0, "n03126707": 1})
    assert by_id.chosen == (134, 517)


@pytest.mark.parametrize("last", [nn.Linear(6, 5), nn.Linear(6, 5, bias=False)])
def test_the_outputs_that_are_kept_are_the_nets(last):
    net, x = nn.Sequential(nn.Linear(4, 6), last), torch.randn(7, 4)
    before = net(x)
    assert torch.allclose(keep_outputs(net, [3, 0], "1")(x), before[:, [3, 0]])


def test_so_are_those_of_a_convolution():
    net, x = (
        nn.Sequential(nn.Conv2d(3, 5, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        torch.randn(2, 3, 4, 4),
    )
    before = net(x)
    assert torch.allclose(keep_outputs(net, [4, 1, 2], "0")(x), before[:, [4, 1, 2]])


class Cosine(nn.Linear):
    """A classifier with a forward of its own."""

    def forward(self, x):
        weight = nn.functional.normalize(self.weight, dim=1)
        return nn.functional.linear(nn.functional.normalize(x, dim=1), weight, self.bias)


@pytest.mark.parametrize(
    ("head", "shape"),
    [
        (Cosine(6, 5), (6,)),
        (nn.utils.parametrizations.weight_norm(nn.Linear(6, 5)), (6,)),
        (nn.Conv2d(6, 5, 1, bias=False), (6, 1, 1)),
        (nn.Conv2d(6, 5, 7), (6, 7, 7)),
    ],
)
def test_a_layer_computes_as_before(head, shape):
    net, x = nn.Sequential(head, nn.Flatten()), torch.randn(4, *shape)
    before = net(x)
    torch.testing.assert_close(keep_outputs(net, [4, 1, 2], "0")(x), before[:, [4, 1, 2]])


def test_a_head_without_rows_is_refused():
    with pytest.raises(ValueError, match=r"model\.head='0' has no weight with a row"):
        keep_outputs(nn.Sequential(nn.Sequential(nn.Linear(6, 5))), [1], "0")
