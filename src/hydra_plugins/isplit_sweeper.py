"""The sweeper behind ``python train.py -m``: Hydra's own, which knows what ``split.layer=all`` is.

Every Hydra program of the environment imports this module, so it is light and imports late.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig, OmegaConf

if TYPE_CHECKING:
    from isplit.sweeps.jobs import Job

log = logging.getLogger(__name__)


def first_of(*candidates: str | None) -> str | None:
    """The first that is neither empty nor missing."""
    return next(filter(None, candidates), None)


def path_of(*candidates: str) -> str:
    """The same as a path, ``~`` replaced by the home folder."""
    return str(Path(first_of(*candidates) or ".").expanduser())


OmegaConf.register_new_resolver("isplit.first", first_of, replace=True)  # before conf/ is composed
OmegaConf.register_new_resolver("isplit.path", path_of, replace=True)


class SplitSweeper(BasicSweeper):
    """One job for each combination of values, and for each split point under ``split.layer=all``.

    The exit status is 1 when a job failed or did not finish.
    """

    def sweep(self, arguments: list[str]) -> None:
        """Run the jobs that these overrides stand for, and sum up; none if one cannot work."""
        assert self.config is not None
        folder = Path(self.config.hydra.sweep.dir).absolute()
        try:
            jobs = self.jobs(arguments)
        except ValueError as error:
            log.error("error: %s", error)
            sys.exit(1)
        from isplit.runs.command import INTERRUPTED, speak
        from isplit.sweeps.run import run_sweep

        speak()
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.save(self.config, folder / "multirun.yaml")
        try:
            outcomes = run_sweep(jobs, self._launch, folder, resume=self.config.sweep.resume)
        except (ValueError, OSError) as error:
            log.error("error: %s", error)
            sys.exit(1)
        except KeyboardInterrupt:  # of a launcher whose jobs are in other processes
            sys.exit(INTERRUPTED)
        if any(outcome.state not in ("done", "done before") for outcome in outcomes):
            sys.exit(1)

    def jobs(self, arguments: Sequence[str]) -> list[Job]:
        """The jobs that these overrides stand for, with those of ``hydra.sweeper.params``.

        Raises:
            ValueError: a job cannot work.
        """
        assert self.hydra_context is not None
        parser = OverridesParser.create(self.hydra_context.config_loader)
        overrides = parser.parse_overrides([*self._parse_config(), *arguments])
        (commands,) = self.split_arguments(overrides, max_batch_size=None)
        configs = {tuple(words): self._compose(words) for words in commands}
        from isplit.sweeps.jobs import jobs_of  # torch comes with it: refuse what can be before

        return jobs_of(commands, lambda words: configs[tuple(words)])

    def _compose(self, overrides: Sequence[str]) -> DictConfig:
        from isplit.keys import checked, one_line

        assert self.hydra_context is not None
        assert self.config is not None
        loader = self.hydra_context.config_loader
        with one_line(overrides):
            cfg = loader.load_sweep_config(self.config, list(overrides))
        return checked(OmegaConf.masked_copy(cfg, [str(key) for key in cfg if key != "hydra"]))

    def _launch(self, jobs: Sequence[Job]) -> list[str]:
        """What stopped each job; empty for those that came to their end."""
        assert self.launcher is not None
        commands = [
            [
                *job.overrides,
                f"hydra.sweep.subdir='{job.name}'",
                f"hydra.job.name='{k} of {len(jobs)}'",
            ]
            for k, job in enumerate(jobs, 1)
        ]
        errors: list[str] = []
        for batch in self.split_overrides_to_chunks(commands, self.max_batch_size):
            returns = self.launcher.launch(batch, initial_job_idx=len(errors))
            errors += [_error_of(one) for one in returns]
        return errors


def _error_of(job: JobReturn) -> str:
    error: Any = job._return_value  # the property raises it, after printing
    return "" if job.status == JobStatus.COMPLETED else str(error) or type(error).__name__
