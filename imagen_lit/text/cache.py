"""The text cache: what an encoder says about every caption of a folder of shards, computed once.

`fill` writes one sidecar (`data.sidecar`) per shard, skips those that are there and fit, and may be
stopped at any moment: to run it again is the recovery. With the same `budget` on the same device
the files come out the same, byte for byte; another budget sums in another order, and so rounds
otherwise. Several processes share the work by taking every `tasks`-th shard. A sidecar of another
encoder, or of other samples, or a file that is none, is an error and stays untouched; a sidecar
that was cut short is made again.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import torch

from imagen_lit.data import number, sidecar, sidecar_header
from imagen_lit.data.collection import Collection


class Encoder(Protocol):
    name: str

    def lengths(self, captions: list[str]) -> list[int]: ...

    def encode(self, captions: list[str]) -> tuple[torch.Tensor, torch.Tensor]: ...

    def fingerprint(self) -> dict[str, str]: ...


def fill(
    encoder: Encoder,
    shards: Collection,
    folder: Path,
    stored: str = "bfloat16",
    budget: int = 8_192,
    task: int = 0,
    tasks: int = 1,
) -> Iterator[tuple[Path, bool]]:
    """Yield each sidecar of this task and whether it was written just now (False: already there).

    `budget` is the number of tokens, padding counted, that are encoded in one go.
    """
    if stored not in sidecar_header.STORED:
        raise ValueError(f"stored={stored!r} is not one of {', '.join(sidecar_header.STORED)}.")
    if not 0 <= task < tasks:
        raise ValueError(f"task={task} of tasks={tasks}: tasks are numbered from 0.")
    number.whole("budget", budget, 1)
    identity = {f"encoder.{name}": str(value) for name, value in encoder.fingerprint().items()}
    for place in range(task, len(shards), tasks):
        shard = shards.open(place)
        path = folder / f"{shard.path.stem}.safetensors"
        fields = {**sidecar.wanted(shard), "stored": stored, **identity}
        missing = not _fits(path, fields)
        if missing:
            _refuse_unwritable(folder)
            captions = [shard.caption(row) for row in range(len(shard))]
            kept = torch.float32 if stored == "float32" else torch.bfloat16
            rows = embed(encoder, captions, budget, kept)
            missing = not _fits(path, fields)  # somebody else may have made it meanwhile
        if missing:
            sidecar.write(path, rows, fields)
        yield path, missing


def _refuse_unwritable(folder: Path) -> None:
    """Now, and not after the work."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if not os.access(there, os.W_OK):
        raise PermissionError(
            f"{there} cannot be written to: open it, or give folder=<where the sidecars may go>"
        )


def _fits(path: Path, fields: Mapping[str, str]) -> bool:
    try:
        found = sidecar.Sidecar(path).fields
    except (FileNotFoundError, sidecar_header.CutShort):
        return False
    if different := sidecar.differences(found, fields):
        early = " What is absent, earlier versions did not write down." * bool(
            fields.keys() - found
        )
        # Other captions are this file's alone; another encoder made all that lie beside it.
        alone = not sidecar.differences(found, sidecar.kind(fields))
        raise ValueError(
            f"{path} was made otherwise: {different}.{early} Nothing was overwritten. To replace "
            f"it, delete {path if alone else path.parent}, then repeat this command."
        )
    return True


def embed(
    encoder: Encoder, captions: Sequence[str], budget: int, dtype: torch.dtype = torch.float32
) -> list[torch.Tensor]:
    """One [tokens, D] per caption; equal captions are encoded once, long with long."""
    found: dict[str, torch.Tensor] = {}
    for batch in batches(captions, encoder.lengths, budget):
        tokens, mask = encoder.encode(batch)
        for caption, vectors, real in zip(batch, tokens, mask, strict=True):
            row = vectors[real]
            if not torch.isfinite(row).all():
                raise ValueError(
                    f"The encoder {encoder.name} answers {caption!r} with numbers that are not "
                    "finite. T5 does so in float16: use bfloat16 or float32."
                )
            found[caption] = row.to(dtype).cpu()
    return [found[caption] for caption in captions]


def batches(
    captions: Sequence[str], lengths: Callable[[list[str]], list[int]], budget: int
) -> Iterator[list[str]]:
    """The distinct captions, longest first, in lists of `budget` tokens, padding counted."""
    distinct = sorted(set(captions))
    length = dict(zip(distinct, lengths(distinct) if distinct else [], strict=True))
    # Longest first, so that a lack of memory shows at once; ties go by the text.
    waiting = sorted(distinct, key=lambda caption: (-length[caption], caption))
    while waiting:
        size = max(1, budget // max(1, length[waiting[0]]))
        yield waiting[:size]
        waiting = waiting[size:]
