"""A SLURM cluster for each test process that has journeys on one. Without SLURM's programs they are
skipped; with REQUIRE_SLURM=1, as in CI, they then fail."""

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
from lab import Lab, missing_commands  # noqa: E402
from laptop import run  # noqa: E402


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    if missing := missing_commands():
        problem = f"this machine lacks {', '.join(missing)}"
        if os.environ.get("REQUIRE_SLURM") == "1":
            pytest.fail(f"{problem}, and REQUIRE_SLURM=1")
        pytest.skip(f"{problem}: apt-get install slurmctld slurmd slurm-client munge")
    with tempfile.TemporaryDirectory(prefix="slurm_lab_") as folder, Lab(folder) as lab:
        yield lab


@pytest.fixture(scope="session")
def home(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder, a few dozen images, and their text."""
    return once.copy(tmp_path_factory, "cluster", _make_home)


def _make_home(home: Path) -> None:
    run("pretrain_text", "documents=0", folder=home)
    run("build_shards", "source.count=64", "per_shard=32", "workers=1", folder=home)
    run("embed_text", folder=home)


@pytest.fixture
def jobs(lab: Lab, home: Path) -> Iterator[Jobs]:
    jobs = Jobs(lab, home)
    yield jobs
    remaining = set(lab.call("squeue", "-h", "-o", "%A").split())
    if remaining:
        lab.call("scancel", "--signal=KILL", "--full", *remaining, check=False)
        lab.call("scancel", *remaining)
    assert lab.crashed_daemons() == [], "no daemon of the lab may have ended by itself"
