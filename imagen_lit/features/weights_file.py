"""A file of weights whose content is known: its sha256 is checked before it is opened, and only
tensors are read from it, so that no code in it can run."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from imagen_lit.basics.errors import InputError


def read(name: str, path: Path, sha256: str, source: str) -> dict[str, Tensor]:
    """The tensors in a file of this content; `source` says, as advice, where it comes from."""
    if not path.is_file():
        raise InputError(f"the weights of {name} are not there: {path} is no file. {source}")
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    if content != sha256:
        raise InputError(
            f"the weights of {name} in {path} are others than those known: their sha256 is "
            f"{content}, not {sha256}. {source} To measure with these all the same, set its "
            f"sha256=... to theirs. Check where they come from before you do."
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip and torch each fail in their own way
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(
            f"the weights of {name} in {path} cannot be read as tensors ({reason}). {source}"
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise InputError(f"{path} holds no table of tensors by name. {source}")
    return dict(state)


def fill(network: nn.Module, state: Mapping[str, Tensor], ignore: tuple[str, ...] = ()) -> None:
    """Put the tensors into the network; each name and shape has to fit, but for those that begin
    with a word of `ignore`, and for counters of batches."""
    own, given = _shapes(network.state_dict(), ()), _shapes(state, ignore)
    others = sorted(key for key in own.keys() | given.keys() if own.get(key) != given.get(key))
    if others:
        raise InputError(
            f"these weights do not fit {type(network).__name__}: {others[0]} is missing, unknown "
            f"or of another size, one of {len(others)}. Fetch the weights that belong to it."
        )
    network.load_state_dict({key: state[key] for key in own}, strict=False)


def _shapes(state: Mapping[str, Tensor], ignore: tuple[str, ...]) -> dict[str, torch.Size]:
    return {
        key: tensor.shape
        for key, tensor in state.items()
        if not key.startswith(ignore) and not key.endswith("num_batches_tracked")
    }
