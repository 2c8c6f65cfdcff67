"""How many threads a job takes, and what it shares the machine with."""

import os
from collections.abc import Mapping
from typing import Any

Launcher = Mapping[str, Any]
"""The settings of the launcher of a sweep (``conf/hydra/launcher``); empty outside one."""


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share_of(cores: int, launcher: Launcher) -> int:
    """Threads for one job: its share of half the cores, or what a queue was asked for.

    Half, because two busy threads on one core are several times slower than one.

    >>> share_of(16, {}), share_of(16, {"n_jobs": 4}), share_of(16, {"n_jobs": -1})
    (8, 2, 1)
    >>> share_of(16, {"cpus_per_task": 3}), share_of(2, {"ray": {"remote": {"num_cpus": 4}}})
    (3, 2)
    """
    ray = (launcher.get("ray") or {}).get("remote") or {}
    asked_for = launcher.get("cpus_per_task") or ray.get("num_cpus")
    if asked_for:
        return max(1, min(cores, int(asked_for)))
    at_once = launcher.get("n_jobs") or 1
    if at_once < 0:  # joblib counts these down from all cores
        at_once = max(1, cores + 1 + at_once)
    return max(1, cores // (2 * at_once))


def has_company(launcher: Launcher) -> bool:
    """Whether other jobs may run at the same time; Hydra's basic launcher has no settings.

    >>> has_company({"_target_": "BasicLauncher"}), has_company({"n_jobs": 2})
    (False, True)
    """
    return any(name != "_target_" for name in launcher)
