"""A job of the wrong size is refused before it does any harm; array members share their work."""

import subprocess
import sys

import pytest
from jobs import TINY, Jobs

pytestmark = pytest.mark.slurm


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-N2", "--ntasks-per-node=1"], "Set trainer=ddp trainer.num_nodes=2 trainer.devices=1"),
        (["-N1", "--ntasks-per-node=1", "--", "trainer.devices=2"], "the trainer expects 2"),
    ],
)
def test_a_trainer_of_another_size_than_its_job_is_refused(
    jobs: Jobs, words: list[str], message: str
) -> None:
    options, _, overrides = " ".join(words).partition(" -- ")
    done = subprocess.run(
        [
            *("srun", "-J", "size", *options.split(), sys.executable, "-m", "imagen_lit.train"),
            *(*TINY, "stage.images=16", "name=size", *overrides.split()),
        ],
        cwd=jobs.home,
        env=jobs.environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 1 and message in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert jobs.status("size")["state"] == "failed" and message in jobs.status("size")["error"]
    assert not (jobs.home / "runs/size/metrics.jsonl").exists()


def test_members_of_an_array_share_the_text_cache(jobs: Jobs) -> None:
    cache = jobs.home / "datasets/demo.text/t5_nano"
    before = {file.name: file.read_bytes() for file in cache.iterdir()}
    for file in cache.iterdir():
        file.unlink()
    job = jobs.sbatch(
        "--array=3-4", "--cpus-per-task=1", "--output=embed-%a.log",
        str(jobs.repo / "slurm/embed_text.sbatch"),
    )  # fmt: skip
    for task in (3, 4):
        assert jobs.wait_for_end(f"{job}_{task}", f"embed-{task}")["JobState"] == "COMPLETED"
        assert "1 new sidecar is" in jobs.log(f"embed-{task}")
    assert {file.name for file in cache.iterdir()} == set(before)
