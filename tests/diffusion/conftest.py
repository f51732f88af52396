"""A test's argument names the group of configs that it is a law of.

A test that takes `schedule` runs once for every file in conf/diffusion/schedule, one that takes
`schedule` and `sampler` for every pair, and a new file is tested as soon as it exists.
"""

from collections.abc import Iterator
from itertools import compress
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

GROUPS = Path(__file__).parents[2] / "conf" / "diffusion"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for group in sorted(path.name for path in GROUPS.iterdir()):
        if group in metafunc.fixturenames:
            files = sorted((GROUPS / group).glob("*.yaml"))
            options = [instantiate(OmegaConf.load(file)) for file in files]
            if group == "sampler":  # one that takes a network's variance: test_variance.py
                known = [getattr(each, "gamma", 0) is not None for each in options]
                files, options = ([*compress(each, known)] for each in (files, options))
            metafunc.parametrize(group, options, ids=[file.stem for file in files])


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Thousands of tiny matrices: on a busy machine a second thread only costs time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
