"""Batch normalisation that processes share, beside torch's on the whole batch."""

import torch
from torch import distributed, multiprocessing, nn

from isplit.stages.batch_norm import SharedBatchNorm, with_shared_batch_norm

PROCESSES = 2


def net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.BatchNorm1d(64)
    ).double()


def batch():
    torch.manual_seed(1)
    return torch.randn(10, 3, 6, 6).double() + 2


def step(module, x):
    """Answers, and gradients of their mean cube, a loss to which no BatchNorm is blind."""
    y = module(x)
    y.pow(3).mean().backward()
    return y.detach()


def take_part(rank, meeting, folder):
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=rank, world_size=PROCESSES
    )
    shared = with_shared_batch_norm(net())
    y = step(shared, batch()[rank::PROCESSES])
    for parameter in shared.parameters():  # as DistributedDataParallel does
        distributed.all_reduce(parameter.grad)
        parameter.grad /= PROCESSES
    gradients = {name: p.grad for name, p in shared.named_parameters()}
    torch.save((y, gradients, shared.state_dict()), folder / f"{rank}.pt")
    distributed.destroy_process_group()


def test_shares_of_a_batch_are_normalised_as_the_whole(tmp_path):
    whole = net()
    expected = step(whole, batch())
    multiprocessing.spawn(take_part, (tmp_path / "meeting", tmp_path), PROCESSES)
    for rank in range(PROCESSES):
        y, gradients, state = torch.load(tmp_path / f"{rank}.pt")
        torch.testing.assert_close(y, expected[rank::PROCESSES])
        for name, parameter in whole.named_parameters():
            torch.testing.assert_close(gradients[name], parameter.grad, atol=1e-6, rtol=1e-5)
        for name, value in whole.state_dict().items():
            torch.testing.assert_close(state[name], value, atol=1e-6, rtol=1e-5)


def test_the_copy_shares_names_and_modes_and_leaves_the_net_as_it_was():
    original = net()
    original[4].eval()
    shared = with_shared_batch_norm(original)
    assert [isinstance(part, SharedBatchNorm) for part in shared] == [0, 1, 0, 0, 1]
    assert [part.training for part in shared] == [part.training for part in original]
    assert shared.state_dict().keys() == original.state_dict().keys()
    assert type(original[1]) is nn.BatchNorm2d
    assert shared[1].weight is not original[1].weight


def test_in_evaluation_mode_nothing_is_shared():
    original = net().eval()
    assert torch.equal(with_shared_batch_norm(original)(batch()), original(batch()))
