"""Jobs of the lab, as the journeys want to speak of them. They wait for facts, never for time."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab import Lab

from imagen_lit import run_folder

REPO = Path(__file__).resolve().parents[2]
BATCH = 16
TINY = [
    "network.channels=[8,16]",
    "network.blocks=[1,1]",
    "network.head_width=8",
    f"data.batch_size={BATCH}",
    "data.validation=16",
    "callbacks=default",
    "~callbacks.speed",  # which would measure the machine first
    "trainer.log_every_n_steps=1",
    "trainer.val_check_interval=1000",
    "logger=files",
]
TWO_RANKS = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.precision=32-true"]


def until(
    fact: Callable[[], Any], what: Callable[[], str], seconds: float = 180, pause: float = 0.05
) -> Any:
    """Wait until something is so; `what` tells about the case that it never is. A fact that SLURM
    has to be asked for wants a longer pause: each question is a process."""
    end = time.monotonic() + seconds
    while not (found := fact()):
        assert time.monotonic() < end, f"not within {seconds:g} s: {what()}"
        time.sleep(pause)
    return found


class Jobs:
    """`home` holds data and runs, and is where jobs are submitted."""

    def __init__(self, lab: Lab, home: Path) -> None:
        self.lab, self.home = lab, home
        environment = lab.environment | {"PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
        paths = [str(REPO), environment.get("PYTHONPATH", "")]
        self.environment = environment | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}

    repo = REPO

    def sbatch(self, *words: str) -> str:
        said = self.lab.call("sbatch", "--parsable", *words, env=self.environment, cwd=self.home)
        return said.partition(";")[0]

    def train(self, *words: str, name: str, images: int, nodes: int = 1, **options: str) -> str:
        """Submit slurm/train.sbatch; the job's number."""
        asked = {"partition": "main", "cpus-per-task": "1", "output": f"{name}.log"} | options
        said = [f"--{key}={value}" if value else f"--{key}" for key, value in asked.items()]
        ranks = TWO_RANKS if nodes == 2 else []
        return self.sbatch(
            f"--nodes={nodes}", *said, str(REPO / "slurm" / "train.sbatch"),
            *TINY, *ranks, f"stage.images={images}", f"name={name}", *words,
        )  # fmt: skip

    def sweep(self, *words: str, door: str = "train") -> "subprocess.Popen[str]":
        """Start the driver of a sweep through the launcher."""
        asked = ["mem_gb=null", "cpus_per_task=1", "timeout_min=60", "partition=main"]
        asked += ["signal_delay_s=60"]
        return subprocess.Popen(
            [
                *(sys.executable, "-m", f"imagen_lit.{door}", "-m", "hydra/launcher=slurm"),
                *(f"hydra.launcher.{each}" for each in asked),
                *words,
            ],
            cwd=self.home,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def said(self, job: str) -> dict[str, str]:
        line = self.lab.call("scontrol", "--oneliner", "show", "job", job)
        return dict(re.findall(r"(?:^|\s)(\w+)=(\S*)", line))

    def running(self) -> list[str]:
        """The jobs that run now, members of an array each for itself."""
        return self.lab.call("squeue", "-h", "-r", "-t", "RUNNING", "-o", "%i").split()

    def signal(self, job: str, name: str) -> None:
        self.lab.call("scancel", f"--signal={name}", job)

    def learns(self, name: str, after: int = 0) -> int:
        """Wait until a run has logged more images than `after`; how many it has."""

        def seen() -> int:
            assert self.status(name).get("state") != "failed", self.status(name)
            return next((row for row in self.journal(name)[-1:] if row > after), 0)

        return until(
            seen,
            lambda: f"{name} learns after {after} images; it said {self.log(name)}",
        )

    def ends(self, job: str, name: str, seconds: float = 180) -> dict[str, str]:
        """Wait until a job is out of the queue for good; what SLURM says of it."""

        def over() -> dict[str, str] | None:
            said = self.said(job)
            alive = {"PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SIGNALING", "REQUEUED"}
            return None if said["JobState"] in alive else said

        return until(over, lambda: f"job {job} ends; it said {self.log(name)}", seconds, 0.3)

    def journal(self, name: str) -> list[int]:
        """After how many images each line about training was written, in the order of lines."""
        file = self.home / "runs" / name / "metrics.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        rows = [json.loads(line) for line in lines if line.endswith("}")]
        return [row["images"] for row in rows if "train/loss" in row]

    def status(self, name: str) -> dict[str, Any]:
        file = self.home / "runs" / name / "status.json"
        return json.loads(file.read_text()) if file.exists() else {}

    def went_on(self, name: str) -> list[int]:
        """After how many images the run went on, for each start that had a state and has ended."""
        found = re.findall(rf"^{name}: goes on after ([\d,]+) of", self.log(name), re.MULTILINE)
        return [int(images.replace(",", "")) for images in found]

    def log(self, name: str) -> str:
        file = self.home / f"{name}.log"
        return file.read_text() if file.exists() else "nothing"


def is_whole(jobs: Jobs, name: str, images: int) -> None:
    """Every batch was learnt, none twice, and the run says so."""
    assert jobs.journal(name) == list(range(BATCH, images + 1, BATCH)), jobs.log(name)
    assert run_folder.images_seen(jobs.home / "runs" / name) == images
    assert jobs.status(name)["state"] == "finished"


def something_more_urgent_comes(jobs: Jobs) -> None:
    urgent = jobs.sbatch("--partition=high", "--nodes=2", "--exclusive", "--wrap=true")
    assert jobs.ends(urgent, "-")["JobState"] == "COMPLETED"


def went_on(jobs: Jobs, job: str, name: str, images: int, after: int) -> None:
    """The run gave way once, saved no earlier than `after`, went on from there, and to its end."""
    said = jobs.ends(job, name)
    assert (said["JobState"], said["Restarts"]) == ("COMPLETED", "1"), jobs.log(name)
    (state,) = jobs.went_on(name)
    assert after <= state < images, jobs.log(name)
    is_whole(jobs, name, images)
