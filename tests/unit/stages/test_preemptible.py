"""Signals by which a scheduler wants the machine back; in a training: test_stages.py."""

import os
import signal
import threading

import pytest

from isplit.stages import PREEMPTED, Preempted, preemptible


def test_outside_a_training_it_stops_at_once():
    with pytest.raises(Preempted) as stop, preemptible():
        os.kill(os.getpid(), signal.SIGUSR1)
    assert stop.value.code == PREEMPTED


def test_the_signals_are_given_back():
    with preemptible():
        assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_signal_that_someone_handles_stays_theirs():
    came = []
    signal.signal(signal.SIGTERM, lambda *_: came.append("theirs"))
    try:
        with preemptible():
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert came == ["theirs"]


def test_a_process_that_the_job_forked_has_nothing_to_stop():
    with preemptible():
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), signal.SIGUSR1)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0


def test_beside_the_main_thread_signals_are_left_alone():
    found = []

    def elsewhere():
        with preemptible():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [signal.SIG_DFL]
