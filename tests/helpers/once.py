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
    root = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # its own folder lies inside the one they share
        root = root.parent
    original = root / f"once-{name}"
    with (root / f"once-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not original.exists():
            unfinished = factory.mktemp(name)
            make(unfinished)
            unfinished.rename(original)  # complete, or absent
    return Path(shutil.copytree(original, factory.mktemp(name) / name))
