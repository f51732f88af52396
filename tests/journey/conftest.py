"""A home that a newcomer has just set up, shared by all journeys."""

from pathlib import Path

import once
import pytest
from laptop import SMALL, run


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder, shards, sidecars and three barely trained stages."""
    return once.copy(tmp_path_factory, "laptop", _make_home)


def _make_home(home: Path) -> None:
    run("pretrain_text", "documents=320", folder=home)
    run("build_shards", "source.count=120", "per_shard=50", folder=home)
    run("embed_text", folder=home)
    small = ["data.validation=16", "stage.images=192", "callbacks.checkpoint.every=64"]
    preview = ["callbacks.preview.every=96", "prompts.count=8"]
    preview += ["callbacks.preview.recipe.steps=2"]
    run("train", "name=demo/base", *SMALL, *small, *preview, folder=home)
    for stage in ("sr", "sr2"):  # with the logger that a newcomer has
        words = [f"stage=demo_{stage}", f"name=demo/{stage}", "stage.images=64"]
        run("train", *words, *small[:1], folder=home)
