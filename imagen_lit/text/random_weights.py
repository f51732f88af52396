"""The control of an encoder: the same architecture and tokenizer, with weights that never learnt.

Law: the folder is a pure function of the encoder's config.json, its tokenizer and the seed, for one
version of torch and transformers; a digest tells whether another machine made the same.
"""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from transformers.utils import logging

from imagen_lit.basics import fingerprint
from imagen_lit.basics.atomic import write_json
from imagen_lit.basics.encoder_folder import SETTINGS
from imagen_lit.basics.errors import InputError
from imagen_lit.text.encoder import HuggingFace


def write(encoder: HuggingFace, folder: Path, seed: int, record: Mapping[str, Any]) -> None:
    """Write the encoder's control; the folder is complete, with `record` beside the weights, or
    absent. The encoder's own weights are not read."""
    if missing := encoder.missing_files(weights=False):
        raise FileNotFoundError(missing)
    load = getattr(encoder.load, "func", encoder.load)
    kind = getattr(load, "__self__", None)
    if kind is None:
        raise InputError(
            f"text encoder {encoder.name!r}: text.load is not a class's from_pretrained. "
            "Set text=minilm, for example."
        )
    logging.disable_progress_bar()
    config = kind.config_class.from_pretrained(encoder.path)
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        model = kind(config, **getattr(encoder.load, "keywords", {}))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        files = Path(temporary) / "encoder"
        model.save_pretrained(files)
        for name in fingerprint.TOKENIZER:
            if (Path(encoder.path) / name).is_file():
                shutil.copyfile(Path(encoder.path) / name, files / name)
        write_json(files / SETTINGS, dict(record))
        os.replace(files, folder)
