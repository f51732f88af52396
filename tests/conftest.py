"""What every test stands on: two threads, no network, no cache of the person who runs it."""

import os
import tempfile
from collections.abc import Iterator

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
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))


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
