"""The launcher of sweeps on SLURM, here because Hydra takes launchers from `hydra_plugins` alone.

It submits as hydra-submitit-launcher does, and watches the jobs (imagen_lit/run/sweep_jobs.py).
Hydra imports this file at every start: what takes time is imported when it is used.
"""

from collections.abc import Sequence

from hydra.core.utils import JobReturn
from hydra_plugins.hydra_submitit_launcher.submitit_launcher import SlurmLauncher


class WatchedSlurmLauncher(SlurmLauncher):
    """hydra-submitit's launcher, with a driver that says what its jobs do."""

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Submit a job per member, and wait for all."""
        from imagen_lit.run import sweep_jobs

        return sweep_jobs.launch(self, job_overrides, initial_job_idx)
