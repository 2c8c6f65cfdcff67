"""Two processes that train the stages together come to what one comes to, to the last image.

In double precision, where the order of sums does not show; in single precision it does, and a
training makes it larger step by step (docs/cluster.md).
"""

import copy
import os
import socket
from collections import OrderedDict

import pytest
import torch
from pipeline.jobs import compose_job
from torch import multiprocessing, nn

from isplit import config, stages
from isplit.bottleneck import make_bottleneck
from isplit.graph import split_at, split_points, trace
from isplit.model import SplitModel
from isplit.stages import Engine, FineTuning, Recipe, Store, Team, Workbench, seeded, teamed

PROCESSES = 2
RECIPE = Recipe(epochs=3, learning_rate=2e-3, batch_size=32, images=128)
TUNING = FineTuning(3, 2e-3, batch_size=32, images=128, net_learning_rate=5e-4)
SMALL = ("data.classes=[A,B,C]", "data.image_size=16", "data.images_per_class=60")


class Double(nn.Module):
    def forward(self, x):
        return x.double()


def tiny_net():
    with seeded(0, "net"):
        layers = OrderedDict(
            precise=Double(),
            conv1=nn.Conv2d(3, 8, 3, stride=2, padding=1),
            norm=nn.BatchNorm2d(8),
            relu=nn.ReLU(),
            conv2=nn.Conv2d(8, 8, 3, padding=1),
            norm2=nn.BatchNorm2d(8),
            relu2=nn.ReLU(),
            flat=nn.Flatten(),
            out=nn.Linear(8 * 8 * 8, 3),
        )
        return nn.Sequential(layers).double()


def all_stages(root, team):
    """Facts and weights of the three stages by name."""
    stages.features.compute_features = lambda *args: None  # kept features are single precision
    engine = Engine("cpu", team.size, "ddp" if team.size > 1 else "auto", team=team)
    store = Store(root / "store", {}, team)
    bench = Workbench(config.build_data(compose_job(root, *SMALL)), store, engine, seed=0)
    net = tiny_net()
    baseline = stages.baseline(bench, net, {}, RECIPE)
    traced = trace(net, torch.zeros(2, 3, 16, 16, dtype=torch.double))
    point = split_points(traced)[0]
    head, tail = split_at(copy.deepcopy(traced), point)
    with seeded(0, "bottleneck"):
        split = SplitModel(head, make_bottleneck(point, 0.8), tail).double()
    encoded = stages.autoencoder(bench, split, point, baseline, RECIPE)
    tuned = stages.finetune(bench, split, encoded, TUNING)
    done = {"baseline": baseline, "autoencoder": encoded, "finetune": tuned}
    return {name: (stored.made.facts, stored.made.weights) for name, stored in done.items()}


def take_part(rank, root, port):
    torch.set_num_threads(1)
    os.environ |= {"LOCAL_RANK": str(rank), "NODE_RANK": "0", "WORLD_SIZE": str(PROCESSES)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    with teamed("cpu", PROCESSES, "ddp", 1) as team:
        torch.save(all_stages(root, team), root / f"{rank}.pt")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What one process comes to, and what each of two does."""
    root = tmp_path_factory.mktemp("together")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    multiprocessing.spawn(take_part, (root, port), PROCESSES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages.features, "compute_features", None)
        alone = all_stages(tmp_path_factory.mktemp("alone"), Team())
    return alone, [torch.load(root / f"{rank}.pt") for rank in range(PROCESSES)]


@pytest.mark.parametrize("stage", ["baseline", "autoencoder", "finetune"])
def test_every_answer_of_two_processes_is_that_of_one(found, stage):
    alone, together = found
    facts, weights = alone[stage]
    for theirs, their_weights in (one[stage] for one in together):
        assert theirs["test"] == facts["test"]
        for name, tensor in weights.items():
            torch.testing.assert_close(their_weights[name], tensor, rtol=1e-6, atol=1e-9)
        for row, expected in zip(theirs["history"], facts["history"], strict=True):
            assert row == pytest.approx(expected, rel=1e-5)


def test_the_stages_learn_something(found):
    """Else equal answers would say nothing."""
    alone, _ = found
    assert alone["finetune"][0]["test"]["accuracy"] > 0.45  # a third by chance
