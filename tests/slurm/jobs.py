"""Jobs of the lab, in the terms of the journeys. They wait for conditions, never for time."""

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

from imagen_lit.run import run_folder

REPO = Path(__file__).resolve().parents[2]
BATCH = 16
TINY = [
    "network.channels=[8,16]",
    "network.blocks=[1,1]",
    "network.attention=[false,true]",
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
ALIVE = {"PENDING", "RUNNING", "COMPLETING", "CONFIGURING", "SIGNALING", "REQUEUED"}


def wait_until(
    condition: Callable[[], Any],
    describe: Callable[[], str],
    seconds: float = 600,
    pause: float = 0.05,
) -> Any:
    """Wait until a condition holds, and return its value; `describe` says what was expected if it
    never does. A condition that asks SLURM needs a longer pause: each question is a process."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {seconds:g} s: {describe()}"
        time.sleep(pause)
    return value


class Jobs:
    """`home` holds data and runs, and is where jobs are submitted."""

    repo = REPO

    def __init__(self, lab: Lab, home: Path) -> None:
        self.lab, self.home = lab, home
        environment = lab.environment | {"PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
        paths = [str(REPO), environment.get("PYTHONPATH", "")]
        self.environment = environment | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}

    def sbatch(self, *words: str) -> str:
        """Submit a job; its id."""
        answer = self.lab.call("sbatch", "--parsable", *words, env=self.environment, cwd=self.home)
        return answer.partition(";")[0]

    def train(self, *words: str, name: str, images: int, nodes: int = 1, **options: str) -> str:
        """Submit slurm/train.sbatch; the job's id."""
        options = {"partition": "main", "cpus-per-task": "1", "output": f"{name}.log"} | options
        flags = [f"--{key}={value}" if value else f"--{key}" for key, value in options.items()]
        ranks = TWO_RANKS if nodes == 2 else []
        return self.sbatch(
            f"--nodes={nodes}", *flags, str(REPO / "slurm" / "train.sbatch"),
            *TINY, *ranks, f"stage.images={images}", f"name={name}", *words,
        )  # fmt: skip

    def sweep(self, *words: str, command: str = "train") -> "subprocess.Popen[str]":
        """Start the driver of a sweep through the launcher."""
        module = ("-m", f"imagen_lit.{command}", "-m")
        launcher = ("hydra/launcher=slurm", "hydra.launcher.partition=main")
        return subprocess.Popen(
            [sys.executable, *module, *launcher, *words],
            cwd=self.home,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def fields(self, job: str) -> dict[str, str]:
        """What SLURM says about a job."""
        line = self.lab.call("scontrol", "--oneliner", "show", "job", job)
        return dict(re.findall(r"(?:^|\s)(\w+)=(\S*)", line))

    def running(self) -> list[str]:
        """The jobs that run now, each member of an array by itself."""
        return self.lab.call("squeue", "-h", "-r", "-t", "RUNNING", "-o", "%i").split()

    def signal(self, job: str, name: str) -> None:
        self.lab.call("scancel", f"--signal={name}", job)

    def wait_for_training(self, name: str, after: int = 0) -> int:
        """Wait until a run has logged more images than `after`; how many it has."""

        def newest() -> int:
            assert self.status(name).get("state") != "failed", self.status(name)
            return next((images for images in self.logged(name)[-1:] if images > after), 0)

        return wait_until(newest, lambda: f"{name} trains after {after} images: {self.log(name)}")

    def wait_for_end(self, job: str, name: str, seconds: float = 600) -> dict[str, str]:
        """Wait until a job is out of the queue for good; what SLURM says about it."""

        def final() -> dict[str, str] | None:
            fields = self.fields(job)
            return None if fields["JobState"] in ALIVE else fields

        return wait_until(final, lambda: f"job {job} ends: {self.log(name)}", seconds, 0.3)

    def logged(self, name: str) -> list[int]:
        """After how many images each line about training was written, in the order of lines."""
        file = self.home / "runs" / name / "metrics.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        rows = [json.loads(line) for line in lines if line.endswith("}")]
        return [row["images"] for row in rows if "train/loss" in row]

    def status(self, name: str) -> dict[str, Any]:
        file = self.home / "runs" / name / "status.json"
        return json.loads(file.read_text()) if file.exists() else {}

    def resume_points(self, name: str) -> list[int]:
        """After how many images the run resumed, for each start that had a checkpoint and ended."""
        numbers = re.findall(rf"^{name}: resumes after ([\d,]+) of", self.log(name), re.MULTILINE)
        return [int(images.replace(",", "")) for images in numbers]

    def log(self, name: str) -> str:
        file = self.home / f"{name}.log"
        return file.read_text() if file.exists() else "nothing"


def assert_complete(jobs: Jobs, name: str, images: int) -> None:
    """Every batch was learnt, none twice, and the run says so."""
    assert jobs.logged(name) == list(range(BATCH, images + 1, BATCH)), jobs.log(name)
    assert run_folder.images_seen(jobs.home / "runs" / name) == images
    assert jobs.status(name)["state"] == "finished"


def preempt(jobs: Jobs) -> None:
    """Run a more urgent job, which takes both nodes."""
    urgent = jobs.sbatch("--partition=high", "--nodes=2", "--exclusive", "--wrap=true")
    assert jobs.wait_for_end(urgent, "-")["JobState"] == "COMPLETED"


def assert_resumed(jobs: Jobs, job: str, name: str, images: int, after: int) -> None:
    """The run was preempted once, saved no earlier than `after`, resumed from there, and ended."""
    fields = jobs.wait_for_end(job, name)
    assert (fields["JobState"], fields["Restarts"]) == ("COMPLETED", "1"), jobs.log(name)
    (resume_point,) = jobs.resume_points(name)
    assert after <= resume_point < images, jobs.log(name)
    assert_complete(jobs, name, images)
