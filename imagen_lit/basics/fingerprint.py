"""Digests of all that decides the output of a Hugging Face directory: weights, settings, tokenizer.

Two directories with equal digests give equal embeddings. Settings are compared by their content:
the order of keys, whitespace, and metadata on who wrote the file and where are ignored. All other
files are compared byte by byte, under their names.
"""

import hashlib
import json
from functools import lru_cache
from pathlib import Path

from imagen_lit.basics.errors import InputError

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
VOCABULARIES = ("tokenizer.json", "spiece.model", "vocab.txt", "vocab.json")
TOKENIZER = (
    *VOCABULARIES,
    "merges.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)
SETTINGS = ("config.json", "tokenizer_config.json")
NOTES = (
    "_name_or_path",
    "name_or_path",
    "transformers_version",
    "is_local",
    "local_files_only",
    "dtype",  # of the weights in the file; the encoder decides what they are computed in
    "torch_dtype",
)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of the weights, the configuration and the tokenizer."""
    tokenizer = [folder / name for name in TOKENIZER if (folder / name).is_file()]
    return {
        "weights_sha256": _sha256(weight_files(folder)),
        "config_sha256": _sha256([folder / "config.json"]),
        "tokenizer_sha256": _sha256(tokenizer),
    }


def weight_files(folder: Path) -> list[Path]:
    """The weights in the first format that is there, as transformers chooses."""
    return next((files for kind in WEIGHTS if (files := sorted(folder.glob(kind)))), [])


def _sha256(files: list[Path]) -> str:
    """For a single file, what `sha256sum` prints, unless it holds settings."""
    digests = {file.name: _file_sha256(file, *_size_and_time(file)) for file in files}
    if len(digests) == 1:
        return digests[files[0].name]
    listing = "".join(f"{name} {digest}\n" for name, digest in digests.items())
    return hashlib.sha256(listing.encode()).hexdigest()


@lru_cache(maxsize=32)
def _file_sha256(path: Path, size: int, time: int) -> str:
    if path.name in SETTINGS:
        return hashlib.sha256(_settings(path)).hexdigest()
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _settings(path: Path) -> bytes:
    try:
        settings = dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{path} holds no settings ({error}). Delete it, then download it again."
        ) from error
    settings = {name: value for name, value in settings.items() if name not in NOTES}
    return json.dumps(settings, sort_keys=True).encode()


def _size_and_time(file: Path) -> tuple[int, int]:
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns
