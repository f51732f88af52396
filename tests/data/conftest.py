"""Shards of the tiny world, as a fixture."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_world import add_text, sample

from imagen_lit.data.shard_files import collection, shard

Make = Callable[..., Path]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Shards of the given sizes, with their manifest and their text."""

    def build(*sizes: int, changes: dict[int, dict[str, Any]] | None = None) -> Path:
        folder = tmp_path_factory.mktemp("datasets") / "tiny"
        start = 0
        for number, size in enumerate(sizes):
            numbers = range(start, start + size)
            samples = [sample(n, **(changes or {}).get(n, {})) for n in numbers]
            shard.write(folder / f"{number:05d}.tar", samples)
            start += size
        shards = {f"{n:05d}": {"samples": size} for n, size in enumerate(sizes)}
        collection.write_manifest(folder, {"samples": start, "shards": shards})
        add_text(folder)
        return folder

    return build
