"""A SLURM cluster for each of the test processes that has journeys on one. Without SLURM's programs
they are left out; with REQUIRE_SLURM=1, as in CI, they then fail."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import once
import pytest

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO / "slurm"))

from jobs import Jobs  # noqa: E402
from lab import Lab, missing  # noqa: E402
from laptop import run  # noqa: E402


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    if lacks := missing():
        said = f"this machine lacks {', '.join(lacks)}"
        if os.environ.get("REQUIRE_SLURM") == "1":
            pytest.fail(f"{said}, and REQUIRE_SLURM=1")
        pytest.skip(f"{said}: apt-get install slurmctld slurmd slurm-client munge")
    with tempfile.TemporaryDirectory(prefix="slurm_lab_") as folder, Lab(folder) as lab:
        yield lab


@pytest.fixture(scope="session")
def home(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder, a few dozen pictures, and their text."""
    return once.copy(tmp_path_factory, "cluster", _move_in)


def _move_in(home: Path) -> None:
    run("pretrain_text", "documents=0", folder=home)
    run("build_shards", "source.count=64", "per_shard=32", "workers=1", folder=home)
    run("embed_text", folder=home)


@pytest.fixture
def jobs(lab: Lab, home: Path) -> Iterator[Jobs]:
    jobs = Jobs(lab, home)
    yield jobs
    left = set(lab.call("squeue", "-h", "-o", "%A").split())
    if left:
        lab.call("scancel", "--signal=KILL", "--full", *left, check=False)
        lab.call("scancel", *left)
    assert lab.fallen() == [], "no daemon of the lab may have ended by itself"
