"""A sweep on SLURM: one job for each member, a driver that tells the truth about them."""

import time
from pathlib import Path

import pytest
from jobs import TINY, TWO_RANKS, Jobs, is_whole, until
from offline import Kept, journal

from imagen_lit import run_folder

pytestmark = pytest.mark.slurm


def newest(jobs: Jobs) -> Path:
    """The batch script that the launcher wrote last."""
    scripts = (jobs.home / "runs/.submitit").rglob("*_submission.sh")
    return max(scripts, key=lambda script: script.stat().st_mtime_ns)


def header(script: Path) -> dict[str, str]:
    lines = script.read_text().splitlines()
    words = [line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH --")]
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def test_members_run_one_after_the_other_and_a_failed_one_is_noticed(jobs: Jobs) -> None:
    driver = jobs.sweep(
        *TINY, "name=sweep/${data.validation}", "stage.images=160", "data.validation=9999,16",
        "hydra.launcher.array_parallelism=1", "hydra.launcher.comment=mine",
    )  # fmt: skip
    at_once = 0
    while driver.poll() is None:
        at_once = max(at_once, len(jobs.running()))
        time.sleep(0.3)  # each look is a process
    _, told = driver.communicate(timeout=10)
    assert at_once == 1
    assert driver.returncode == 1, told
    assert "data.validation=9999" in told and "error:" in told, told
    assert jobs.status("sweep/9999")["state"] == "failed", told
    assert "validation=9999" in jobs.status("sweep/9999")["error"]
    assert jobs.status("sweep/9999")["job"].endswith("_0")
    assert jobs.status("sweep/16")["state"] == "finished", "it runs all the same"
    assert run_folder.images_seen(jobs.home / "runs/sweep/16") == 160

    script = newest(jobs)
    asked = header(script)
    assert asked["array"] == "0-1%1" and asked["signal"] == "USR2@60" and "requeue" in asked
    assert (asked["nodes"], asked["ntasks-per-node"], asked["time"]) == ("1", "1", "60")
    assert (asked["partition"], asked["comment"], asked["job-name"]) == ("main", "mine", "train")
    text = script.read_text()
    (early,) = [line for line in text.splitlines() if line.startswith("export PYTHONPATH=")]
    assert Path(early.partition("=")[2].partition(":")[0], "sitecustomize.py").is_file()


def test_the_papers_sweeps_run_on_several_tasks_and_are_requeued(jobs: Jobs) -> None:
    """Encoders, members on two nodes of which one may run at a time; then guidance against
    thresholds, on what was trained."""
    jobs.environment["WANDB_MODE"] = "offline"  # tests have it off elsewhere
    driver = jobs.sweep(
        "+sweep=text_encoder", "text=t5_nano", "seed=0,1", "name=sweep/text_encoder/seed-${seed}",
        *TINY, *TWO_RANKS, "trainer.devices=1", "trainer.num_nodes=2", "stage.images=320",
        "hydra.launcher.array_parallelism=1", "logger=wandb",
    )  # fmt: skip
    names = [f"sweep/text_encoder/seed-{seed}" for seed in (0, 1)]
    jobs.learns(names[0])
    (job,) = jobs.running()
    jobs.signal(job, "USR2")
    until(lambda: jobs.status(names[0])["state"] == "preempted", lambda: str(jobs.running()))
    _, told = driver.communicate(timeout=200)
    assert driver.returncode == 0, told
    assert header(newest(jobs))["array"] == "0-1%1"
    for number, (name, restarts) in enumerate(zip(names, "10", strict=True)):
        member = f"{job.partition('_')[0]}_{number}"
        said = jobs.said(member)
        assert (said["Restarts"], said["NumNodes"], said["NumTasks"]) == (restarts, "2", "2")
        assert jobs.status(name)["job"] == member
        is_whole(jobs, name, 320)
        kept = Kept(jobs.home / "runs" / name)
        assert kept.run["run_group"] == "sweep/text_encoder", "W&B's, one run across the requeue"
        assert len(kept.rows) == len(journal(jobs.home / "runs" / name))

    driver = jobs.sweep(
        "+sweep=guidance_threshold", "weight=1,3", "threshold=dynamic", "examiner.count=2",
        "cascade.base.recipe.steps=2", f"cascade.base.run=runs/{names[0]}",
        "hydra.launcher.gpus_per_node=null", door="evaluate",
    )  # fmt: skip
    _, told = driver.communicate(timeout=200)
    assert driver.returncode == 0, told
    points = jobs.home / "runs/sweep/guidance_threshold"
    assert {p.parent.name for p in points.rglob("scores.json")} == {
        "weight-1_threshold-dynamic", "weight-3_threshold-dynamic",
    }  # fmt: skip
