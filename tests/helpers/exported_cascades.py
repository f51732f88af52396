"""A tiny cascade of two stages whose text encoder needs no files, in runs and exported."""

import json
from pathlib import Path

from omegaconf import OmegaConf
from tiny_run import leave_run

from imagen_lit import export
from imagen_lit.cli import config

WORDS = ["text=bag_of_words", "stop_after=sr", "device=cpu"]
WORDS += ["cascade.base.recipe.steps=2", "cascade.sr.recipe.steps=2"]


def leave_runs(runs: Path) -> list[str]:
    """The runs; gives the words with which commands draw from them."""
    text = config.compose("sample", WORDS).text
    for name in ("base", "sr"):
        folder = leave_run(runs, name)
        cfg = OmegaConf.load(folder / "config.yaml")
        cfg.text = text
        OmegaConf.save(cfg, folder / "config.yaml", resolve=True)
        (folder / "text.json").write_text(json.dumps(config.build(text).fingerprint()))
    return [*WORDS, f"runs={runs}"]


def leave_export(folder: Path, *more: str) -> list[str]:
    """The exported cascade in `folder`/exported, beside its runs."""
    words = leave_runs(folder / "runs")
    unused = ("device=",)
    words = [word for word in words if not word.startswith(unused)]
    export.main(config.compose("export", [*words, f"out={folder / 'exported'}", *more]))
    return [*words, "device=cpu"]
