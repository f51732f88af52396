"""What every test relies on: two cores, no network, none of the user's caches."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

# Set before any test module imports a library that reads these during its import.
_CACHES = tempfile.TemporaryDirectory(prefix="imagen_lit_test_")
os.environ |= {"HF_HUB_OFFLINE": "1", "WANDB_MODE": "disabled", "MPLBACKEND": "Agg"}
os.environ |= {
    name: os.path.join(_CACHES.name, name.lower())
    for name in (
        "HF_HOME",
        "WANDB_DIR",
        "WANDB_CACHE_DIR",
        "WANDB_DATA_DIR",
        "WANDB_CONFIG_DIR",
        "MPLCONFIGDIR",
    )
}
if "PYTEST_XDIST_WORKER" in os.environ:  # several run at once; their child processes inherit it
    os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
# A shell makes its background processes ignore Ctrl-C, and all that tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

TESTS = Path(__file__).parent
# Started first, the longest before all, so that no core is idle at the end.
LONG = ("slurm/test_preempted.py", "slurm/test_lost_node.py", "slurm/test_sweep.py", "slurm")
LONG += ("journey/test_resume.py", "journey/test_make_demo.py", "journey")


@pytest.hookimpl(tryfirst=True)  # before xdist looks for the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `-n 3 --dist loadgroup` a file's tests stay together. Journeys are slow."""
    for item in items:
        file = item.path.relative_to(TESTS)
        item.add_marker(pytest.mark.xdist_group(str(file)))
        if _rank(item) < len(LONG):
            item.add_marker(pytest.mark.slow)
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    file = item.path.relative_to(TESTS)
    ranks = [rank for rank, start in enumerate(LONG) if file.is_relative_to(start)]
    return min(ranks, default=len(LONG))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", help="cuda: journeys of two ranks use two GPUs")


@pytest.fixture(scope="session", autouse=True)
def caches() -> Iterator[None]:
    """Remove the caches after the last test."""
    yield
    _CACHES.cleanup()
