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
if "PYTEST_XDIST_WORKER" in os.environ:  # two of them run at once, and what they start is theirs
    os.environ["OMP_NUM_THREADS"] = "1"
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
# A shell lets what it starts in the background ignore Ctrl-C, and so would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

TESTS = Path(__file__).parent
LONG = ("slurm", "journey")  # begun first, so that no core is idle at the end


@pytest.hookimpl(tryfirst=True)  # before xdist looks for the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `-n 2 --dist loadgroup` a file's tests stay together, and so do all that share the one
    cluster. Journeys are slow."""
    for item in items:
        file = item.path.relative_to(TESTS)
        group = "slurm" if file.parts[0] == "slurm" else str(file)
        item.add_marker(pytest.mark.xdist_group(group))
        if file.parts[0] in LONG:
            item.add_marker(pytest.mark.slow)
    folders = {name: order for order, name in enumerate(LONG)}
    items.sort(key=lambda item: folders.get(item.path.relative_to(TESTS).parts[0], len(LONG)))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", help="where tensors of the tests live")
    parser.addoption("--dtype", default="float32", help="float32 or float64")


@pytest.fixture(scope="session", autouse=True)
def caches() -> Iterator[None]:
    """Take the caches away when the last test is done."""
    yield
    _CACHES.cleanup()


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> torch.device:
    return torch.device(request.config.getoption("--device"))


@pytest.fixture(scope="session")
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    return getattr(torch, request.config.getoption("--dtype"))
