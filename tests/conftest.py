"""What every test stands on: two cores, no network, no cache of the person who runs it."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

# Before any test module imports a library that reads these when it is imported.
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
if "PYTEST_XDIST_WORKER" in os.environ:  # several run at once, and what they start is theirs
    os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
# A shell lets what it starts in the background ignore Ctrl-C, and so would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

TESTS = Path(__file__).parent
LONG = ("slurm", "journey")  # begun first, so that no core is idle at the end
ALONE = "test_lost_node.py"  # half of SLURM's minutes, on a cluster of its own beside the other


@pytest.hookimpl(tryfirst=True)  # before xdist looks for the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `-n 3 --dist loadgroup` a file's tests stay together, and so do all that share a
    cluster. Journeys are slow."""
    for item in items:
        file = item.path.relative_to(TESTS)
        shared = file.parts[0] == "slurm" and file.name != ALONE
        group = "slurm" if shared else str(file)
        item.add_marker(pytest.mark.xdist_group(group))
        if file.parts[0] in LONG:
            item.add_marker(pytest.mark.slow)
    folders = {name: order for order, name in enumerate(LONG)}
    items.sort(key=lambda item: folders.get(item.path.relative_to(TESTS).parts[0], len(LONG)))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", help="cuda: journeys of two ranks take two GPUs")


@pytest.fixture(scope="session", autouse=True)
def caches() -> Iterator[None]:
    """Take the caches away when the last test is done."""
    yield
    _CACHES.cleanup()
