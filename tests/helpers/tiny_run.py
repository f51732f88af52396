"""Runs that a cascade can draw with, made in a second instead of trained, and a text encoder that
needs no files."""

import json
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import Tensor

from imagen_lit.cli import config
from imagen_lit.run import checkpoint, run_folder

TINY = {
    "base": ["network.channels=[16,32,32]", "network.blocks=[1,1,1]", "network.head_width=16"],
    "sr": ["stage=demo_sr"],
    "sr2": ["stage=demo_sr2"],
}
FINGERPRINT = {"encoder": "made up"}


class Encoder:
    def fingerprint(self) -> dict[str, str]:
        return FINGERPRINT

    name, max_length = "made_up", 9

    unknown_token = "?"

    def token_ids(self, captions: list[str]) -> list[list[int]]:
        return [[ord(letter) for letter in caption[:9]] for caption in captions]

    def lengths(self, captions: list[str]) -> list[int]:
        return [9] * len(captions)

    def pieces(self, words: list[str]) -> list[list[str]]:
        return [[word] for word in words]

    def encode(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        letters = [[ord(letter) / 100 for letter in caption[:9].ljust(9)] for caption in captions]
        mask = torch.ones(len(captions), 9, dtype=torch.bool)
        return torch.tensor(letters)[..., None].expand(-1, -1, 128).clone(), mask


def leave_runs(runs: Path, names: Iterable[str] = ("base", "sr")) -> Path:
    """The same folder, with the runs of these stages below it."""
    for name in names:
        leave_run(runs, name)
    return runs


def leave_run(runs: Path, name: str, images: int = 64, seed: int = 0) -> Path:
    """The folder of a run that has trained on `images` images; each seed gives other weights."""
    cfg = config.compose("train", [*TINY[name], f"runs={runs}", f"name=demo/{name}"])
    folder = runs / cfg.name
    run_folder.claim(folder, cfg)
    (folder / "text.json").write_text(json.dumps(FINGERPRINT))
    torch.manual_seed(seed)
    weights = config.build(cfg.stage).state_dict()
    for key, tensor in weights.items():  # zero layers would draw the same under any weights
        if tensor.is_floating_point() and not tensor.any():
            weights[key] = 0.05 * torch.randn_like(tensor)
    checkpoint.write({"state_dict": weights}, checkpoint.path(folder, images))
    return folder
