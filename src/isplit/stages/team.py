"""The processes that run one job together (``trainer.strategy=ddp``), and what they agree on.

All run the same program. The leader locks, writes and is heard; whether a stage is trained or read
is its decision, and the others follow. In a training each takes its part of every batch.
"""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import lightning as L
from lightning.fabric.strategies import ParallelStrategy  # type: ignore[attr-defined]
from torch import distributed

from isplit.stages.preemption import Preempted

T = TypeVar("T")
AS_LONG_AS_IT_TAKES = timedelta(days=365)  # another job may hold the lock that the leader waits for
OURS = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
CHATTY = ("lightning.pytorch", "lightning.fabric")
EXPECTED = (
    r".*exists and is not empty",  # the folder of an interrupted stage
    r"The dirpath has changed",  # so has the store, which was moved
    r".*in eval mode at the start of training",  # what is frozen
    r".*does not have many workers",  # small images need none
    r".*treespec, LeafSpec.*is deprecated",  # between Lightning and torch
    r".*srun. command is available",
    r".*sync_dist=True.* on epoch level",  # all processes validate on the same images
)


@dataclass(frozen=True)
class Team:
    """One process of a job and its fellows; by itself a single process.

    Attributes:
        rank: the leader's is 0.
        size: number of processes.
    """

    rank: int = 0
    size: int = 1
    group: Any = None

    @property
    def leads(self) -> bool:
        """Whether this process locks and writes."""
        return self.rank == 0

    def agreed(self, value: T) -> T:
        """The leader's value, in every process, once all have come here."""
        if self.size == 1:
            return value
        distributed.barrier(self.group)
        box = [value]
        distributed.broadcast_object_list(box, src=0, group=self.group)
        return box[0]


@contextmanager
def teamed(
    accelerator: str, devices: int | str, strategy: str, num_nodes: int, *, may_start: bool = True
) -> Iterator[Team]:
    """The team of this job: started by Lightning, or by SLURM or torchrun before it.

    Args:
        accelerator: this and the others as Lightning's Trainer has them.
        may_start: whether the same command line starts another process of this very job.

    Raises:
        ValueError: it does not, and nobody else started them.
    """
    if (str(devices), num_nodes) == ("1", 1):
        yield Team()
        return
    with quiet():
        fabric = L.Fabric(
            accelerator=accelerator, devices=devices, strategy=strategy, num_nodes=num_nodes
        )
    if not isinstance(fabric.strategy, ParallelStrategy):  # "auto" found a single device
        yield Team()
        return
    environment = fabric.strategy.cluster_environment
    assert environment is not None
    started_here = not environment.creates_processes_externally
    if started_here and not may_start:
        raise ValueError(
            f"trainer.devices={devices} starts its processes by the same command line, and under "
            "-m that is the whole sweep: run the jobs one by one, or have SLURM start the "
            "processes (hydra/launcher=slurm hydra.launcher.tasks_per_node=...)"
        )
    fabric.launch()
    group = distributed.new_group(backend="gloo", timeout=AS_LONG_AS_IT_TAKES)
    team = Team(fabric.global_rank, fabric.world_size, group)
    try:
        yield team
    except Preempted as stop:
        if not team.leads:
            stop.code = 0  # at any other, Lightning kills the leader, which has things to finish
        raise
    finally:
        distributed.destroy_process_group()
        for name in OURS if started_here else ():
            os.environ.pop(name, None)


@contextmanager
def quiet() -> Iterator[None]:
    """Inside, resuming, frozen modules, a lack of workers and of ``srun`` are no news.

    Nor are devices and the end of a training, of which Lightning has a handler of its own tell.
    """
    levels = [(log, log.level) for log in map(logging.getLogger, CHATTY)]
    with warnings.catch_warnings():
        for meant in EXPECTED:
            warnings.filterwarnings("ignore", message=meant)
        try:
            for log, level in levels:
                log.setLevel(max(level, logging.WARNING))
            yield
        finally:
            for log, level in levels:
                log.setLevel(level)
