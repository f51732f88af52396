"""The text cache: the embeddings of every caption of a folder of shards, computed once.

`fill` writes one sidecar (`data.sidecar`) per shard, skips those that exist and match, and may be
stopped at any moment: run it again to recover. With the same `token_budget` on the same device the
files are identical, byte for byte; another `token_budget` sums in another order, and so rounds
differently. Several processes can share the work by taking every `tasks`-th shard. A sidecar of
another encoder or of other samples, or a file that is not a sidecar, is an error and stays
untouched; a sidecar that was cut short is made again.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import torch

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError
from imagen_lit.data import sidecar, sidecar_header
from imagen_lit.data.shard_files.collection import Collection


class Encoder(Protocol):
    """A text encoder with its identity."""

    name: str

    def lengths(self, captions: list[str]) -> list[int]:
        """Tokens of each caption."""

    def encode(self, captions: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Token vectors [B, L, D] and mask [B, L]."""

    def fingerprint(self) -> dict[str, str]:
        """What must be equal for two embeddings to be comparable."""


def fill(
    encoder: Encoder,
    shards: Collection,
    folder: Path,
    storage: str = "bfloat16",
    token_budget: int = 8_192,
    task: int = 0,
    tasks: int = 1,
    notes: Callable[[Sequence[str]], Mapping[str, str]] = lambda captions: {},
) -> Iterator[tuple[Path, bool]]:
    """Yield each sidecar of this task and whether it is new (False: it already existed).

    `token_budget` is the number of tokens, padding included, that are encoded at once; `notes` are
    what else a header says of its captions.
    """
    refuse_other_storage(storage)
    if not 0 <= task < tasks:
        raise InputError(
            f"task={task} of tasks={tasks} does not exist: tasks are numbered from 0. "
            "Set task=0 tasks=4, for example."
        )
    arguments.whole_number("token_budget", token_budget, 1)
    identity = {f"encoder.{name}": str(value) for name, value in encoder.fingerprint().items()}
    for number in range(task, len(shards), tasks):
        shard = shards.open(number)
        path = folder / f"{shard.path.stem}.safetensors"
        fields = {**sidecar.expected_fields(shard), "storage": storage, **identity}
        is_missing = not _exists(path, fields)
        if is_missing:
            _require_writable(folder)
            captions = [shard.caption(row) for row in range(len(shard))]
            dtype = torch.float32 if storage == "float32" else torch.bfloat16
            rows = embed(encoder, captions, token_budget, dtype)
            is_missing = not _exists(path, fields)  # another process may have made it meanwhile
        if is_missing:
            sidecar.write(path, rows, {**fields, **notes(captions)})
        yield path, is_missing


def refuse_other_storage(storage: object) -> None:
    """Raise unless it names one of the formats."""
    if type(storage) is not str or storage not in sidecar_header.DTYPES:
        raise InputError(
            f"storage={storage!r} is not one of {', '.join(sidecar_header.DTYPES)}. "
            "Set storage=bfloat16, for example."
        )


def _require_writable(folder: Path) -> None:
    """Refuse before the work, and not after it."""
    parent = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not os.access(parent, os.W_OK):
        raise PermissionError(
            f"{parent} cannot be written to. Change its permissions, or set folder=<where the "
            "sidecars may go>."
        )


def _exists(path: Path, expected: Mapping[str, str]) -> bool:
    """Whether the sidecar is there; one with other fields is refused."""
    try:
        fields = sidecar.Sidecar(path).fields
    except (FileNotFoundError, sidecar_header.CutShort):
        return False
    difference = sidecar.differences(fields, expected)
    if not difference:
        return True
    if expected.keys() - fields.keys():
        difference += " (earlier versions did not record the absent fields)"
    # Other captions concern only this file; another encoder made every file in its folder.
    is_same_kind = not sidecar.differences(fields, sidecar.kind(expected))
    raise InputError(
        f"{path} was made differently: {difference}. Nothing was overwritten. Delete "
        f"{path if is_same_kind else path.parent} to replace it, then repeat this command."
    )


def embed(
    encoder: Encoder, captions: Sequence[str], token_budget: int, dtype: torch.dtype = torch.float32
) -> list[torch.Tensor]:
    """One [tokens, D] per caption; equal captions are encoded once, long ones together."""
    rows: dict[str, torch.Tensor] = {}
    for batch in batches(captions, encoder.lengths, token_budget):
        tokens, mask = encoder.encode(batch)
        for caption, vectors, is_real in zip(batch, tokens, mask, strict=True):
            row = vectors[is_real]
            if not torch.isfinite(row).all():
                raise InputError(
                    f"the encoder {encoder.name} returned numbers that are not finite for "
                    f"{caption!r}. T5 does so in float16. Set text.dtype=bfloat16 or "
                    "text.dtype=float32."
                )
            rows[caption] = row.to(dtype).cpu()
    return [rows[caption] for caption in captions]


def batches(
    captions: Sequence[str], lengths: Callable[[list[str]], list[int]], token_budget: int
) -> Iterator[list[str]]:
    """The distinct captions, longest first, in lists of `token_budget` tokens, padding included."""
    distinct = sorted(set(captions))
    length = dict(zip(distinct, lengths(distinct) if distinct else [], strict=True))
    # Longest first, so that running out of memory shows at once; ties are broken by the text.
    queue = sorted(distinct, key=lambda caption: (-length[caption], caption))
    while queue:
        size = max(1, token_budget // max(1, length[queue[0]]))
        yield queue[:size]
        queue = queue[size:]
