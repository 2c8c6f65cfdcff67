"""Its place puts tests/ on the import path: `import cases`, `import reference`."""

import signal

import hypothesis
import pytest
import torch

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as nohup and a shell's & leave it, and
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the processes tests start inherit
torch.set_num_threads(1)  # two busy threads on two cores are far slower than one
hypothesis.settings.register_profile("busy machine", deadline=None)
hypothesis.settings.load_profile("busy machine")

LAYERS = "split.layer=[block1_pool,block2_pool,block3_pool,block5_conv3]"


def pytest_addoption(parser):
    parser.addoption("--kills", type=int, default=2, help="moments at which a run is killed")


def pytest_generate_tests(metafunc):
    if "kill" in metafunc.fixturenames:
        kills = metafunc.config.getoption("kills")
        moments = [(number, kills) for number in range(kills)]
        metafunc.parametrize("kill", moments, ids=[f"{n + 1}-of-{k}" for n, k in moments])


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks in the same hook
def pytest_collection_modifyitems(items):
    """Tests that share what takes long to make go to one process (``--dist loadgroup``)."""
    for item in items:
        fixtures = [found[-1] for found in item._fixtureinfo.name2fixturedefs.values()]
        places = [
            f.baseid
            for f in fixtures
            if f.scope != "function" and f.baseid and f.argname != "drawn"
        ]
        if places:
            item.add_marker(pytest.mark.xdist_group(min(places, key=len)))


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Four split points at one rate, twice, and at another rate two of them; nothing drawn."""
    from pipeline.jobs import compose_job, undrawn

    from isplit import runs

    root = tmp_path_factory.mktemp("runs")
    two = "split.layer=[block1_pool,block3_pool]"
    with undrawn():
        runs.train(compose_job(root, LAYERS, output="one"))
        runs.train(compose_job(root, LAYERS, "repeat=1", output="again"))
        runs.train(compose_job(root, two, "bottleneck.compression_rate=0.98", output="two"))
    return root
