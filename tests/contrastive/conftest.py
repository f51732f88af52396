"""Shards of the tiny world without any text sidecars, and the smallest towers."""

from pathlib import Path

import pytest
from tiny_world import sample

from imagen_lit.data.shard_files import shard


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("datasets") / "tiny"
    for number in range(3):
        numbers = range(20 * number, 20 * (number + 1))
        shard.write(folder / f"{number:05d}.tar", [sample(each) for each in numbers])
    return folder
