"""Its place puts tests/ on the import path: `import cases`, `import reference`."""

import signal

import torch

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as nohup and a shell's & leave it, and
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the processes tests start inherit
torch.set_num_threads(1)  # two busy threads on two cores are far slower than one


def pytest_addoption(parser):
    parser.addoption("--kills", type=int, default=2, help="moments at which a run is killed")


def pytest_generate_tests(metafunc):
    if "kill" in metafunc.fixturenames:
        kills = metafunc.config.getoption("kills")
        moments = [(number, kills) for number in range(kills)]
        metafunc.parametrize("kill", moments, ids=[f"{n + 1}-of-{k}" for n, k in moments])
