"""A folder that takes long to make, made once for all test processes; each gets a copy."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def copy(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A copy of what `make` puts into an empty folder. The first process to ask makes it, and the
    others wait."""
    place = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # its own folder lies in the one of them all
        place = place.parent
    made = place / f"once-{name}"
    with (place / f"once-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            begun = factory.mktemp(name)
            make(begun)
            begun.rename(made)  # whole, or not there
    return Path(shutil.copytree(made, factory.mktemp(name) / name))
