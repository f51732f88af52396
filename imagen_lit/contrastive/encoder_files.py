"""A small CLIP on disk: weights, sizes and tokenizer in a folder, read as data and never as code.

`model.safetensors`, `config.json` and `tokenizer.json` are all that decides its features. The
folder is complete or absent.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from tokenizers import Tokenizer

from imagen_lit.basics import json_file
from imagen_lit.basics.atomic import write_json
from imagen_lit.basics.errors import InputError
from imagen_lit.contrastive.two_towers import Shape, TwoTowers

WEIGHTS, CONFIG, TOKENIZER = "model.safetensors", "config.json", "tokenizer.json"
FILES = (WEIGHTS, CONFIG, TOKENIZER)
LARGEST, MOST_LAYERS = 65_536, 256  # a spoilt file must not ask for all memory, or for ever


def save(model: TwoTowers, tokenizer: Tokenizer, folder: Path) -> None:
    """Write an encoder into a folder that does not exist, or is empty."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        files = Path(temporary) / "encoder"
        files.mkdir()
        weights = {name: each.cpu().contiguous() for name, each in model.state_dict().items()}
        (files / WEIGHTS).write_bytes(to_bytes(weights))  # its own writer shuts others out
        write_json(files / CONFIG, model.config())
        tokenizer.save(str(files / TOKENIZER))
        os.replace(files, folder)


def read(folder: Path, advice: str) -> tuple[TwoTowers, Tokenizer]:
    """The encoder in a folder that has all `FILES`; a damaged file is refused, with the advice."""
    shape = _shape(folder / CONFIG, advice)
    with torch.device("meta"):  # no memory for weights that will be replaced
        model = TwoTowers(shape)
    with _reading(folder / WEIGHTS, advice):
        weights = {name: each.float() for name, each in load_file(folder / WEIGHTS).items()}
        model.load_state_dict(weights, assign=True)
    if not all(each.isfinite().all() for each in weights.values()):
        raise InputError(f"{folder / WEIGHTS} holds numbers that are not finite. {advice}")
    with _reading(folder / TOKENIZER, advice):
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    if tokenizer.get_vocab_size() > shape.vocabulary:
        raise InputError(
            f"{folder / TOKENIZER} has {tokenizer.get_vocab_size()} tokens, and the weights beside "
            f"it know {shape.vocabulary}. {advice}"
        )
    return model.eval().requires_grad_(False), tokenizer


def fingerprint(folder: Path) -> dict[str, str]:
    """SHA-256 of the weights alone, and of all files: equal for equal features."""
    digests = {name: _sha256(folder / name) for name in FILES}
    listing = "".join(f"{name} {digest}\n" for name, digest in sorted(digests.items()))
    return {
        "weights_sha256": digests[WEIGHTS],
        "sha256": hashlib.sha256(listing.encode()).hexdigest(),
    }


def missing(folder: Path) -> list[str]:
    """The files that are not there."""
    return [name for name in FILES if not (folder / name).is_file()]


def _shape(file: Path, advice: str) -> Shape:
    values = json_file.read(file, advice)
    names = [field.name for field in fields(Shape)]
    if (
        sorted(values) != sorted(names)
        or not all(type(value) is int and 0 < value <= LARGEST for value in values.values())
        or values["layers"] > MOST_LAYERS
    ):
        raise InputError(
            f"{file} is damaged: it does not hold a size for each of {', '.join(names)}. {advice}"
        )
    return Shape(**values)


@contextmanager
def _reading(file: Path, advice: str) -> Iterator[None]:
    """Each format fails in its own way on a broken file; all become the same error."""
    try:
        yield
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"{file} cannot be read ({reason}). {advice}") from error


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
