"""A sweep on SLURM: one job per member, and a driver that reports what became of them."""

import time
from pathlib import Path

import pytest
from jobs import TINY, TWO_RANKS, Jobs, assert_complete, wait_until
from offline import OfflineRun, jsonl_rows

from imagen_lit.run import run_folder

pytestmark = pytest.mark.slurm


def newest_script(jobs: Jobs) -> Path:
    """The batch script that the launcher wrote last."""
    scripts = (jobs.home / "runs/.submitit").rglob("*_submission.sh")
    return max(scripts, key=lambda script: script.stat().st_mtime_ns)


def header(script: Path) -> dict[str, str]:
    """Its #SBATCH lines."""
    lines = script.read_text().splitlines()
    words = [line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH --")]
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def test_members_run_one_by_one_and_a_failed_one_is_noticed(jobs: Jobs) -> None:
    driver = jobs.sweep(
        *TINY, "name=sweep/${data.validation}", "stage.images=160", "data.validation=9999,16",
        "hydra.launcher.array_parallelism=1", "hydra.launcher.comment=mine",
    )  # fmt: skip
    most_running = 0
    while driver.poll() is None:
        most_running = max(most_running, len(jobs.running()))
        time.sleep(0.3)  # each look is a process
    _, stderr = driver.communicate(timeout=10)
    assert most_running == 1
    assert driver.returncode == 1, stderr
    assert "data.validation=9999" in stderr and "error:" in stderr, stderr
    assert jobs.status("sweep/9999")["state"] == "failed", stderr
    assert "validation=9999" in jobs.status("sweep/9999")["error"]
    assert jobs.status("sweep/9999")["job"].endswith("_0")
    assert jobs.status("sweep/16")["state"] == "finished", "it runs all the same"
    assert run_folder.images_seen(jobs.home / "runs/sweep/16") == 160

    script = newest_script(jobs)
    options = header(script)
    assert options["array"] == "0-1%1" and options["signal"] == "USR2@60" and "requeue" in options
    assert (options["nodes"], options["ntasks-per-node"], options["time"]) == ("1", "1", "60")
    assert (options["partition"], options["comment"]) == ("main", "mine")
    assert options["job-name"] == "train"
    text = script.read_text()
    (early,) = [line for line in text.splitlines() if line.startswith("export PYTHONPATH=")]
    assert Path(early.partition("=")[2].partition(":")[0], "sitecustomize.py").is_file()


def test_the_papers_sweeps_run_on_several_tasks_and_are_requeued(jobs: Jobs) -> None:
    """Encoders, with members on two nodes of which one may run at a time; then guidance against
    thresholds, with a stage that the first sweep trained."""
    jobs.environment["WANDB_MODE"] = "offline"  # other tests disable it
    driver = jobs.sweep(
        "+sweep=text_encoder", "text=t5_nano", "seed=0,1", "name=sweep/text_encoder/seed-${seed}",
        *TINY, *TWO_RANKS, "trainer.devices=1", "trainer.num_nodes=2", "stage.images=320",
        "hydra.launcher.array_parallelism=1", "logger=wandb",
    )  # fmt: skip
    names = [f"sweep/text_encoder/seed-{seed}" for seed in (0, 1)]
    jobs.wait_for_training(names[0])
    (job,) = jobs.running()
    jobs.signal(job, "USR2")
    wait_until(lambda: jobs.status(names[0])["state"] == "preempted", lambda: str(jobs.running()))
    _, stderr = driver.communicate(timeout=200)
    assert driver.returncode == 0, stderr
    assert header(newest_script(jobs))["array"] == "0-1%1"
    for number, (name, restarts) in enumerate(zip(names, "10", strict=True)):
        member = f"{job.partition('_')[0]}_{number}"
        fields = jobs.fields(member)
        assert (fields["Restarts"], fields["NumNodes"], fields["NumTasks"]) == (restarts, "2", "2")
        assert jobs.status(name)["job"] == member
        assert_complete(jobs, name, 320)
        offline = OfflineRun(jobs.home / "runs" / name)
        assert offline.run["run_group"] == "sweep/text_encoder", "one W&B run across the requeue"
        assert len(offline.rows) == len(jsonl_rows(jobs.home / "runs" / name))

    driver = jobs.sweep(
        "+sweep=guidance_threshold", "weight=1,3", "threshold=dynamic", "prompts.count=2",
        "cascade.base.recipe.steps=2", f"cascade.base.run=runs/{names[0]}",
        "hydra.launcher.gpus_per_node=null", command="evaluate",
    )  # fmt: skip
    _, stderr = driver.communicate(timeout=200)
    assert driver.returncode == 0, stderr
    points = jobs.home / "runs/sweep/guidance_threshold"
    assert {p.parent.name for p in points.rglob("scores.json")} == {
        "weight-1_threshold-dynamic", "weight-3_threshold-dynamic",
    }  # fmt: skip
