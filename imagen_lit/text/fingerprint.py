"""What a Hugging Face directory answers with, as digests: its weights, its settings, its tokenizer.

Two directories of equal digests answer alike. Settings are compared by what they say: the order of
keys, blanks, and notes on who wrote the file and where count for nothing. All other files count
byte by byte, under their names.
"""

import hashlib
import json
from functools import lru_cache
from pathlib import Path

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
    "dtype",  # of the weights as stored; what they are computed in, the encoder decides
    "torch_dtype",
)


def of(here: Path) -> dict[str, str]:
    return {
        "weights_sha256": _sha256(weights(here)),
        "config_sha256": _sha256([here / "config.json"]),
        "tokenizer_sha256": _sha256([here / n for n in TOKENIZER if (here / n).is_file()]),
    }


def weights(here: Path) -> list[Path]:
    """The files of the first kind that is there, as transformers chooses."""
    return next((found for kind in WEIGHTS if (found := sorted(here.glob(kind)))), [])


def _sha256(files: list[Path]) -> str:
    """Of one file, what `sha256sum` says; settings apart."""
    digests = {file.name: _file_sha256(file, *_state(file)) for file in files}
    if len(digests) == 1:
        return digests[files[0].name]
    listed = "".join(f"{name} {digest}\n" for name, digest in digests.items())
    return hashlib.sha256(listed.encode()).hexdigest()


@lru_cache(maxsize=32)
def _file_sha256(path: Path, size: int, time: int) -> str:
    if path.name in SETTINGS:
        return hashlib.sha256(_settings(path)).hexdigest()
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _settings(path: Path) -> bytes:
    try:
        said = dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} holds no settings ({error}): bring the file anew") from error
    kept = {name: value for name, value in said.items() if name not in NOTES}
    return json.dumps(kept, sort_keys=True).encode()


def _state(file: Path) -> tuple[int, int]:
    found = file.stat()
    return found.st_size, found.st_mtime_ns
