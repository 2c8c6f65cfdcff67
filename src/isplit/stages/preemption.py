"""Giving the machine back when a scheduler asks: after the step, with a status of its own.

A queue says that it wants the machine back, or that the time is up, by SIGTERM or SIGUSR1. What is
on disk then is what a killed job leaves too (``isplit.stages.fit``), so nothing is saved in the
middle of an epoch. Signals that someone handles already stay theirs: submitit queues its jobs again
at SIGUSR2 (SUBMITIT_PREEMPT_SIGNAL) and waits through SIGTERM.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

PREEMPTED = 75  # exit status: EX_TEMPFAIL of sysexits.h, try again later
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class Preempted(SystemExit):
    """The machine is wanted back; ends the program with ``PREEMPTED`` where nobody catches it."""

    def __init__(self) -> None:
        super().__init__(PREEMPTED)


class _Notice:
    """What a signal leaves: it ends the program at once, or waits for the end of a step."""

    def __init__(self) -> None:
        self.came = self.can_wait = False
        self.process = 0

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        """The handler; data loaders' processes inherit it and have nothing to stop."""
        if os.getpid() != self.process:
            return
        self.came = True
        if not self.can_wait:
            raise Preempted


_notice = _Notice()  # signals belong to the process


@contextmanager
def preemptible() -> Iterator[None]:
    """Inside, SIGTERM and SIGUSR1 raise ``Preempted``; in a training after the current step.

    Raises:
        Preempted: one of them came.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    free = [number for number in SIGNALS if signal.getsignal(number) == signal.SIG_DFL]
    _notice.came, _notice.process = False, os.getpid()
    for number in free:
        signal.signal(number, _notice)
    try:
        yield
    finally:
        _notice.came = False  # another job of this process has not been told anything
        for number in free:
            signal.signal(number, signal.SIG_DFL)


class StopBetweenSteps(Callback):
    """Ends a training after the step in which a signal came, in all its processes at once.

    Lightning's own handler of SIGTERM, which talks to the other processes in the middle of what
    they do, is put aside.
    """

    def __init__(self) -> None:
        self._handlers = {number: signal.getsignal(number) for number in SIGNALS}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """From here on a signal can wait."""
        if _notice in self._handlers.values():
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            _notice.can_wait = True

    def on_train_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        """Stop here if any of the processes was told to."""
        if trainer.strategy.reduce_boolean_decision(_notice.came, all=False):
            raise Preempted

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop after the last validation too; its epoch is on disk."""
        self.on_train_batch_end(trainer)

    def teardown(self, *args: Any, **kwargs: Any) -> None:
        """After the training, or an exception, a signal ends the program at once again."""
        _notice.can_wait = False

    on_exception = teardown
