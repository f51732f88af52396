"""An ablation on SLURM, through all that may happen to it: a training that cannot work, one that is
killed, a lost node, a job that is cancelled, a driver that dies, and a file that is edited."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml
from jobs import BATCH, TINY, TWO_RANKS, Jobs, wait_until

from imagen_lit import ablate
from imagen_lit.ablation import ledger, submitted_jobs
from imagen_lit.ablation.ledger import Entry
from imagen_lit.ablation.plan import Plan
from imagen_lit.basics import json_file
from imagen_lit.cli import config
from imagen_lit.run import attempt_log

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(3600)]

SCALE = {
    "cascades": {"base": {"cascade": "demo_base"}},
    "stages": {"base": {"stage": "demo_base", "stage.images": 160}},
    "evaluate": {
        "prompts.count": 1,
        "metrics": ["contrast"],
        "cascade.base.recipe.steps": 1,
    },
    "data": {
        "command": "build_shards",
        "folder": "datasets/demo",
        "settings": {"source.count": 64, "per_shard": 32, "workers": 1},
    },
    "seeds": [0],
    "scores": {"quality": "near_black", "alignment": "exact"},
}
HEAD = "# Question · Does it survive?\n# Expected · Yes.\n# Cost     · A minute.\n# Command  · -\n"
LONG = 1_600
DROPS = {"killed": 0.2, "lost": 0.3, "calm": 0.4, "cancelled": 0.5, "gone": 0.6}
ARMS = {"bad": {"data.validation": 9_999}} | {
    arm: {"stage.condition.drop": drop} for arm, drop in DROPS.items()
}
ARMS["killed"]["stage.images"] = ARMS["lost"]["stage.images"] = LONG
LAUNCHER = ("launcher=slurm", "launcher.partition=main", "launcher.gpus_per_node=null")


def write(home: Path, arms: Mapping[str, Mapping[str, object]]) -> None:
    """The user's own scale and ablation, of two-node trainings."""
    words = [word for word in (*TINY, *TWO_RANKS) if not word.startswith("~")]
    train = {"callbacks.checkpoint.every": 160, "~callbacks.speed": None}
    train |= {"data.shards": "datasets/demo", "trainer.num_nodes": 2, "trainer.devices": 1}
    train |= {key: yaml.safe_load(value) for key, _, value in (w.partition("=") for w in words)}
    definition = {
        "stages": ["base"],
        "arms": {"arm": {"to": ["base"], "choices": dict(arms)}},
        "figures": {"all": {"points": {}, "x": "alignment", "y": "quality", "line": "arm"}},
    }
    for kind, name, node in (("scale", "tiny", SCALE | {"train": train}), ("ablation", "six", {})):
        file = home / "sweeps" / kind / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(HEAD + yaml.safe_dump(node or definition, sort_keys=False))


class Ablation:
    """The ablation `six` in the home of the jobs, and what its ledger says."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs, self.runs = jobs, Path("runs")
        self.plan = self._plan()

    def edit(self, arms: Mapping[str, Mapping[str, object]]) -> None:
        write(self.jobs.home, arms)
        self.plan = self._plan()

    def driver(self, verb: str = "run", *words: str) -> "subprocess.Popen[str]":
        module = ("-m", "imagen_lit.ablate", "six", verb, "scale=tiny")
        return subprocess.Popen(
            [sys.executable, *module, *LAUNCHER, *words],
            cwd=self.jobs.home,
            env=self.jobs.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def training(self, arm: str) -> str:
        return next(each for each in self.plan.cells[self.drawing(arm)].needs if "base/" in each)

    def drawing(self, arm: str) -> str:
        return next(each.cell for each in self.plan.points["all"] if each.arm["arm"] == arm)

    def look(self) -> dict[str, Entry]:
        return ledger.read(self.plan, self.runs)

    def states(self) -> dict[str, tuple[str, str]]:
        """Of each arm: the state of its training, and that of its drawing."""
        entries = self.look()
        arms = [each.arm["arm"] for each in self.plan.points["all"]]
        return {
            arm: (entries[self.training(arm)].state, entries[self.drawing(arm)].state)
            for arm in arms
        }

    def end_of(self, driver: "subprocess.Popen[str]", seconds: float) -> tuple[int, str, str]:
        """Wait for a driver's end: its status, and what it printed. A driver that outlives its time
        is killed, so that it does not stand in the next one's way."""
        try:
            stdout, stderr = driver.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            queue = self.jobs.lab.call("squeue", "-o", "%i %j %T %r %S %N")
            nodes = self.jobs.lab.call("sinfo", "-N", "-o", "%N %T %E")
            driver.kill()
            stdout, stderr = driver.communicate()
            files = sorted((self.runs / "ablation/jobs").glob("*/*_log.*"))
            files += [self.jobs.lab.folder / "log/slurmctld.log"]
            logs = [f"{file}: {file.read_text(errors='replace')[-1500:]}" for file in files]
            waits = f"the driver has not ended within {seconds:g} s"
            raise AssertionError("\n".join((waits, queue, nodes, stdout, stderr, *logs))) from None
        return driver.returncode, stdout, stderr

    def reported(self) -> tuple[int, int, int]:
        """By the report: how many cells there are, how many are done, and marks of its figure."""
        page = Path("runs/ablation/tiny/reports/six/report.json")
        facts = json_file.read(page, "-") if page.is_file() else {"cells": 0, "done": 0}
        figures = facts.get("figures") or [{"marks": 0}]
        return facts["cells"], facts["done"], figures[0]["marks"]

    def submissions(self, cell: str) -> list[str]:
        rows = submitted_jobs.read(self.runs)
        return list(dict.fromkeys(row["job"] for row in rows if row["cell"] == cell))

    def _plan(self) -> Plan:
        return ablate.planned(config.compose("ablate", ["ablation=six", "at_scale=tiny"]))


@pytest.fixture
def ablation(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ablation]:
    monkeypatch.chdir(jobs.home)
    monkeypatch.setenv("SLURM_CONF", jobs.environment["SLURM_CONF"])
    monkeypatch.setenv("PATH", jobs.environment["PATH"])
    write(jobs.home, ARMS)
    yield Ablation(jobs)


def hold(ablation: Ablation, cell: str) -> None:
    """Keep a cell's job in the queue, as soon as it is there."""
    (job,) = wait_until(lambda: ablation.submissions(cell), lambda: f"{cell} is submitted")
    ablation.jobs.lab.call("scontrol", "hold", job)


def freeze(jobs: Jobs, node: str) -> list[int]:
    """A node that answers nobody any more, as if its power were gone; its processes."""
    jobs.lab.lose_node(node)
    frozen = jobs.lab.processes(node)
    for process in frozen:
        os.kill(process, signal.SIGSTOP)
    return frozen


def revive(jobs: Jobs, node: str, frozen: list[int]) -> None:
    for process in frozen:
        os.kill(process, signal.SIGKILL)
    jobs.lab.start_node(node)


def test_an_ablation_survives_all_that_happens_on_a_cluster(ablation: Ablation, jobs: Jobs) -> None:
    killed, lost = ablation.training("killed"), ablation.training("lost")
    driver = ablation.driver()
    try:
        for arm in ("cancelled", "gone"):  # they stay in the queue until their turn comes below
            hold(ablation, ablation.training(arm))
        jobs.wait_for_training(killed, after=160)
        os.kill(attempt_log.read(Path("runs") / killed)[-1].start["pid"], signal.SIGKILL)
        jobs.wait_for_training(lost, after=160)
        frozen = freeze(jobs, "n2")
    finally:
        driver.kill()  # it has no time to do anything
        stdout, _ = driver.communicate()
    first = {cell: ablation.submissions(cell) for cell in ablation.plan.cells}
    assert all(len(ids) == 1 for cell, ids in first.items() if cell.startswith("ablation/"))
    assert f"job {first[lost][0]}: train {lost} (2 tasks)" in stdout, stdout
    outlook = (
        r"^SLURM: the partition main is up; 2 nodes \(.+\); \d+ jobs? runs? there, and \d+ wait"
    )
    assert re.search(outlook, stdout, re.MULTILINE), stdout

    # While the node is down: what failed is known, the rest waits or runs.
    wait_until(lambda: jobs.fields(first[lost][0])["JobState"] == "PENDING", lambda: stdout)
    revive(jobs, "n2", frozen)
    wait_until(lambda: ablation.states()["killed"][0] == "failed", lambda: str(ablation.look()))
    wait_until(lambda: ablation.states()["bad"][0] == "failed", lambda: str(ablation.look()))
    wait_until(lambda: ablation.states()["bad"][1] == "missing", lambda: str(ablation.look()))
    entries = ablation.look()
    assert "data.validation=9999" in entries[ablation.training("bad")].why
    assert entries[ablation.drawing("bad")].why.startswith("waits for ablation/tiny/base/")
    assert entries[ablation.drawing("bad")].why.endswith("which failed")
    open_states = {"queued", "running", "done"}
    assert set(ablation.states()["lost"]) <= open_states, ablation.states()

    status, stdout, stderr = ablation.end_of(ablation.driver("report"), 300)
    cells, done_now, marks = ablation.reported()
    assert status == 0 and cells == len(ablation.plan.cells) and marks <= done_now < cells, stderr

    # One job is cancelled by hand, and another's arm is taken out of the file.
    jobs.lab.call("scancel", first[ablation.training("cancelled")][0])
    left = [first[cell][0] for cell in (ablation.training("gone"), ablation.drawing("gone"))]
    gone = ablation.training("gone")
    ablation.edit({arm: each for arm, each in ARMS.items() if arm != "gone"})
    driver = ablation.driver()
    status, stdout, stderr = ablation.end_of(driver, 1500)
    assert status == 0, f"{stdout}\n{stderr}"
    for job in left:
        assert f"job {job} is cancelled: " in stdout and "is no longer in the plan" in stdout
        assert jobs.fields(job)["JobState"] == "CANCELLED"
    assert not (jobs.home / "runs" / gone / "metrics.jsonl").exists()
    done = ("done", "done")
    assert ablation.states() == {
        "bad": ("failed", "missing"),
        "killed": ("failed", "missing"),
        "lost": done,
        "calm": done,
        "cancelled": done,
    }, stdout
    cells = len(ablation.plan.cells)
    assert ablation.reported() == (cells, cells - 4, 3), "without two arms, trained and drawn"
    stayed = [ablation.training("lost"), ablation.training("calm"), ablation.drawing("calm")]
    assert all(ablation.submissions(cell) == first[cell] for cell in stayed)
    assert len(ablation.submissions(ablation.training("cancelled"))) == 2

    # What failed is done again when a person says so; what cannot work fails again.
    driver = ablation.driver("retry")
    status, stdout, stderr = ablation.end_of(driver, 1500)
    assert status == 1 and "1 cell failed" in stderr, f"{stdout}\n{stderr}"
    assert ablation.states()["killed"] == done and ablation.states()["bad"][0] == "failed"
    for arm, images in (("killed", LONG), ("lost", LONG), ("calm", 160), ("cancelled", 160)):
        name = ablation.training(arm)
        assert jobs.logged(name) == list(range(BATCH, images + 1, BATCH)), "none twice"
        attempts = attempt_log.read(Path("runs") / name)
        assert [each.state for each in attempts].count("finished") == 1
        assert attempts[-1].end["images"] == images
        if arm in ("killed", "lost"):
            assert attempts[-1].end["from_images"] >= 160, "it goes on where it was"
        scores = json_file.read(Path("runs") / ablation.drawing(arm) / "scores.json", "-")
        assert json.dumps(scores)
    driver = ablation.driver()
    status, stdout, stderr = ablation.end_of(driver, 600)
    assert status == 0 and "1 cell failed: type the same with retry" in stdout
    assert ablation.reported() == (cells, cells - 2, 4), "all but what cannot work"
    assert jobs.lab.call("squeue", "-h") == ""


def test_a_training_whose_time_is_up_is_requeued_and_goes_on(
    ablation: Ablation, jobs: Jobs
) -> None:
    """SLURM itself sends the signal that the batch script asks for, before the limit is reached."""
    ablation.edit({"long": {"stage.images": 640, "trainer.num_nodes": 1}})
    training, drawing = ablation.training("long"), ablation.drawing("long")
    driver = ablation.driver("run", "launcher.timeout_min=60", "launcher.signal_delay_s=90")
    try:
        jobs.wait_for_training(training, after=32)
        (job,) = ablation.submissions(training)
        fields = jobs.fields(job)
        assert (fields["TimeLimit"], fields["Requeue"]) == ("01:00:00", "1")
        script = jobs.lab.call("scontrol", "write", "batch_script", job, "-")
        assert "#SBATCH --signal=USR2@90" in script
        jobs.signal(job, "USR2")
        status, stdout, stderr = ablation.end_of(driver, 1500)
    finally:
        driver.kill()
    assert status == 0, f"{stdout}\n{stderr}"
    assert f"{job} {training}: waits to start again (restart 1)" in stdout, stdout
    assert ablation.submissions(training) == [job], "the job itself comes back"
    assert ablation.states() == {"long": ("done", "done")} and jobs.fields(job)["Restarts"] == "1"
    first, second = attempt_log.read(Path("runs") / training)
    assert not first.end and 32 < second.end["from_images"] < second.end["images"] == 640
    assert jobs.logged(training) == list(range(BATCH, 640 + 1, BATCH)), "none is learnt twice"
    assert len(attempt_log.read(Path("runs") / drawing)) == 1

    # Without a driver, the last job writes the report.
    cells = len(ablation.plan.cells)
    assert ablation.reported() == (cells, cells, 1)
    shutil.rmtree(Path("runs") / drawing)
    status, stdout, stderr = ablation.end_of(ablation.driver("run", "launcher.wait=false"), 300)
    assert status == 0 and re.search(r"^job \d+: report \(after all", stdout, re.MULTILINE), stderr
    wait_until(lambda: ablation.reported() == (cells, cells, 1), lambda: stdout)
    assert ablation.states() == {"long": ("done", "done")}
    wait_until(lambda: jobs.lab.call("squeue", "-h") == "", lambda: stdout)
