"""A sweep on SLURM: one job per member, and a driver that reports what became of them."""

import re
import signal
import time
from pathlib import Path

import pytest
import small_sweeps
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
        "hydra.launcher.signal_delay_s=60", "hydra.launcher.timeout_min=60",
    )  # fmt: skip
    most_running = 0
    while driver.poll() is None:
        most_running = max(most_running, len(jobs.running()))
        time.sleep(0.3)  # each look is a process
    stdout, stderr = driver.communicate(timeout=300)
    assert most_running == 1
    array = jobs.status("sweep/9999")["job"].partition("_")[0]
    told = [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in stdout.splitlines()]
    assert told[:5] == [
        f"job {array}_0: sweep/9999 (data.validation=9999)",
        f"    its output: runs/.submitit/{array}_0/{array}_0_0_log.{{out,err}}",
        f"job {array}_1: sweep/16 (data.validation=16)",
        f"    its output: runs/.submitit/{array}_1/{array}_1_0_log.{{out,err}}",
        f"to end them: scancel {array}",
    ]
    assert (jobs.home / f"runs/.submitit/{array}_1/{array}_1_0_log.err").exists()
    assert f"{array}_1 sweep/16: waits: JobArrayTaskLimit" in told, stdout
    for line in (f"{array}_0 sweep/9999: starts on n1", f"{array}_1 sweep/16: finished"):
        assert told.count(line) == 1, stdout
    assert any(line.startswith(f"{array}_0 sweep/9999: failed: data.valid") for line in told)
    assert told[-1].startswith("2 runs: 1 failed, 1 finished. They are in runs/sweep/9999, ")
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
    assert (options["job-name"], options["cpus-per-task"]) == ("train", "1")
    assert "mem" not in options
    text = script.read_text()
    (early,) = [line for line in text.splitlines() if line.startswith("export PYTHONPATH=")]
    assert Path(early.partition("=")[2].partition(":")[0], "sitecustomize.py").is_file()


def test_a_cancelled_member_is_stopped_and_the_same_command_watches_the_others(jobs: Jobs) -> None:
    """Ctrl-C ends the driver, not the jobs; scancel ends one of them, and it resumes."""
    words = [*TINY, "name=two/${seed}", "seed=0,1", f"stage.images={16_000}"]
    driver = jobs.sweep(*words)
    for name in ("two/0", "two/1"):
        jobs.wait_for_training(name, after=64)
    driver.send_signal(signal.SIGINT)
    stdout, stderr = driver.communicate(timeout=300)
    stays, cancelled = jobs.status("two/0")["job"], jobs.status("two/1")["job"]
    assert driver.returncode == 130 and "Traceback" not in stderr, stderr
    last = stdout.splitlines()[-1]
    assert last.startswith("no longer watching; the jobs go on."), stdout
    assert last.endswith(f"scancel {stays.partition('_')[0]} ends them"), stdout

    jobs.lab.call("scancel", cancelled)
    wait_until(lambda: jobs.status("two/1")["state"] == "stopped", lambda: jobs.log("two/1"))
    jobs.wait_for_end(cancelled, "two/1")
    assert jobs.status("two/1")["state"] == "stopped"
    assert jobs.status("two/0")["state"] == "running"
    saved = run_folder.images_seen(jobs.home / "runs/two/1")
    assert saved >= 64

    other = jobs.sweep(*words, "hydra.launcher.comment=other")
    _, stderr = other.communicate(timeout=300)
    assert other.returncode == 1 and f"error: job {stays} for " in stderr, stderr
    assert f"Type scancel {stays.partition('_')[0]}, then the same command." in stderr
    driver = jobs.sweep(*words)
    wait_until(lambda: len(jobs.running()) == 2, lambda: str(jobs.running()), pause=0.3)
    (again,) = (job for job in jobs.running() if job != stays)
    jobs.wait_for_training("two/1", after=saved)
    for job in (stays, again):
        jobs.lab.call("scancel", job)
    stdout, stderr = driver.communicate(timeout=300)
    assert f"job {stays}: two/0 (seed=0), already in the queue" in stdout
    assert f"job {again}: two/1 (seed=1)\n" in stdout
    assert "2 runs: 2 stopped." in stdout
    assert driver.returncode == 1 and "error: two/0 stopped. Type the same command" in stderr, (
        stderr
    )
    assert "Traceback" not in stderr


def test_a_sweep_that_slurm_refuses_names_what_to_set(jobs: Jobs) -> None:
    driver = jobs.sweep(*TINY, "seed=0,1", "name=no/${seed}", "hydra.launcher.partition=nix")
    stdout, stderr = driver.communicate(timeout=300)
    assert driver.returncode == 1 and stdout == ""
    assert stderr.startswith("error: SLURM refused the job: invalid partition specified: nix")
    assert "Set hydra.launcher.partition=<one of abrupt, high, main>." in stderr
    assert len(stderr.splitlines()) == 1


def test_sweeps_run_on_several_tasks_and_are_requeued(jobs: Jobs) -> None:
    """Encoders, with members on two nodes of which one may run at a time; then guidance against
    thresholds, with a stage that the first sweep trained."""
    small_sweeps.write(jobs.home)
    jobs.environment["WANDB_MODE"] = "offline"  # other tests disable it
    driver = jobs.sweep(
        "+sweep=encoders", "text=t5_nano", "seed=0,1", "name=sweep/encoders/seed-${seed}",
        *TINY, *TWO_RANKS, "trainer.devices=1", "trainer.num_nodes=2", "stage.images=320",
        "hydra.launcher.array_parallelism=1", "logger=wandb",
    )  # fmt: skip
    names = [f"sweep/encoders/seed-{seed}" for seed in (0, 1)]
    jobs.wait_for_training(names[0])
    (job,) = jobs.running()
    jobs.signal(job, "USR2")
    wait_until(lambda: jobs.status(names[0])["state"] == "preempted", lambda: str(jobs.running()))
    _, stderr = driver.communicate(timeout=900)
    assert driver.returncode == 0, stderr
    assert header(newest_script(jobs))["array"] == "0-1%1"
    for number, (name, restarts) in enumerate(zip(names, "10", strict=True)):
        member = f"{job.partition('_')[0]}_{number}"
        fields = jobs.fields(member)
        assert (fields["Restarts"], fields["NumNodes"], fields["NumTasks"]) == (restarts, "2", "2")
        assert jobs.status(name)["job"] == member
        assert_complete(jobs, name, 320)
        offline = OfflineRun(jobs.home / "runs" / name)
        assert offline.run["run_group"] == "sweep/encoders", "one W&B run across the requeue"
        assert len(offline.rows) == len(jsonl_rows(jobs.home / "runs" / name))

    driver = jobs.sweep(
        "+sweep=guidance", "weight=1,3", "threshold=dynamic", "prompts.count=2",
        "cascade.base.recipe.steps=2", f"cascade.base.run=runs/{names[0]}",
        "hydra.launcher.gpus_per_node=null", command="evaluate",
    )  # fmt: skip
    _, stderr = driver.communicate(timeout=900)
    assert driver.returncode == 0, stderr
    points = jobs.home / "runs/sweep/guidance"
    assert {p.parent.name for p in points.rglob("scores.json")} == {
        "weight-1_threshold-dynamic", "weight-3_threshold-dynamic",
    }  # fmt: skip
