"""submitit's executor, which writes batch scripts and submits them, from the settings that
conf/hydra/launcher/slurm.yaml has for a job; and what a refusal by SLURM means for these settings.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from imagen_lit.run import sbatch_advice
from imagen_lit.run.sbatch_advice import NameOf

# submitit's words for all kinds of clusters
GENERIC = {"name", "timeout_min", "mem_gb", "nodes", "cpus_per_task", "gpus_per_node"}
GENERIC |= {"tasks_per_node", "stderr_to_stdout"}


def executor(params: Mapping[str, Any]) -> Any:
    """For jobs with these settings."""
    import submitit  # takes half a second

    chosen = submitit.AutoExecutor(
        folder=params["submitit_folder"],
        cluster="slurm",
        slurm_max_num_timeout=params["max_num_timeout"],
    )
    others = {k: v for k, v in params.items() if k not in ("submitit_folder", "max_num_timeout")}
    chosen.update_parameters(
        **{key if key in GENERIC else f"slurm_{key}": value for key, value in others.items()}
    )
    return chosen


def submitted(folder: Path, job: str, tasks: int) -> Any:
    """A job that an earlier process has submitted."""
    import submitit

    return submitit.SlurmJob(folder=folder, job_id=job, tasks=list(range(tasks)))


def log(job: Any) -> Path:
    """Where the first task of a job writes, as seen from here."""
    path: Path = job.task(0).paths.stdout
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def refusal(
    error: str,
    params: Mapping[str, Any],
    otherwise: str,
    name_of: NameOf = sbatch_advice.of_sweep,
) -> str:
    """SLURM's reason as a sentence, and what to set: `otherwise`, where nothing is known."""
    lines = [line.removeprefix("sbatch: error: ") for line in error.splitlines()]
    reason = "; ".join(line.removeprefix("Batch job submission failed: ") for line in lines)
    reason = reason.removeprefix("allocation failure: ").rstrip(".")
    advice = sbatch_advice.advice(reason, params, sbatch_advice.nodes(), name_of)
    return f"SLURM refused the job: {reason}. {advice or otherwise}"
