"""The data of a training run, as Lightning wants it.

`Data` joins a folder of shards with the text sidecars of one encoder and yields batches `{image
[B,3,H,W] in [-1,1], text [B,L,D], mask [B,L], caption, key, position [B]}`. Training is one endless
stream; `start_at(images_seen)` opens it at a position, and that integer is all there is to resume.
Validation is a fixed, finite set.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader

from imagen_lit.data import sidecar, transform, worker
from imagen_lit.data.collection import Collection
from imagen_lit.data.filter import Filter
from imagen_lit.data.kept import Kept
from imagen_lit.data.mixture import Mixture
from imagen_lit.data.number import above_zero
from imagen_lit.data.portion import Portion, portion
from imagen_lit.data.reader import Part, Place, Reader, Tally, collate, padded
from imagen_lit.data.remembered import remembered
from imagen_lit.data.selection import select
from imagen_lit.data.stream import Order, Slices, pieces, share

Batch = dict[str, Any]


class Data(LightningDataModule):
    """`text` is an encoder's name (its sidecars lie in `<shards>.text/<name>`) or a folder of them.

    Pictures are resized to `size`; then a random square of `crop` is taken, or, without it, the
    square in the middle. `batch_size` counts the pictures of all ranks together, those of one
    update; `at_once`, where memory is short, how many of them a rank takes in one forward pass:
    the update is the same. `filter` says which samples are wanted; `mixed_with` adds further
    folders, each {shards, weight} and, by choice, a text and a filter of its own, beside this one
    with its `weight`. `validation` is a share, or a number, of samples of the first folder that
    are held back, there and where the same folder is mixed in again. `keep_mib`: decoded pictures
    kept in memory, where they are used whole. `mirror` is off because captions speak of left and
    right. Above a share of `tolerate`, pictures that cannot be used are an error.
    """

    def __init__(
        self,
        shards: str,
        text: str,
        size: int,
        batch_size: int,
        crop: int | None = None,
        at_once: int | None = None,
        workers: int = 0,
        seed: int = 0,
        validation: float = 0.02,
        window: int = 64,
        keep_mib: float = 0.0,
        mirror: bool = False,
        tolerate: float = 0.01,
        filter: Filter | None = None,
        weight: float = 1.0,
        mixed_with: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__()
        transform.refuse_crop(crop, size)
        self.size, self.crop, self.batch_size, self.at_once = size, crop, batch_size, at_once
        self.sets = [Portion(shards, text, above_zero("weight", weight), filter)]
        self.sets += [portion(words, text) for words in mixed_with]
        self.workers, self.seed, self.held_back = workers, seed, validation
        self.window, self.keep_mib, self.mirror = window, keep_mib, mirror
        self.tally = Tally(tolerate)  # of the pictures seen and replaced, while training
        self.encoder: dict[str, str] = {}  # what the sidecars say of the encoder, after `setup`
        self._images_seen = 0
        self._parts: list[Part] = []

    def start_at(self, images_seen: int) -> None:
        """Open the training stream at this position, from the next `train_dataloader()` on."""
        self._images_seen = int(images_seen)

    def pieces(self, world: int) -> int:
        """How many forward passes of each rank make one update."""
        return pieces(share(self.batch_size, world), self.at_once)

    def setup(self, stage: str | None = None) -> None:
        """Open and check everything; an error comes here, before the first step."""
        if self._parts:
            return
        parts: list[Part] = []
        for number, each in enumerate(self.sets):
            shards = Collection(each.shards)
            text = sidecar.place(shards.folder, each.text)
            held_back = self.held_back if number == 0 else 0
            chosen = select(shards, each.filter, held_back, _threshold(parts, shards))
            self._agree(remembered(_encoder, shards, text), text)
            parts.append(Part(shards, text, chosen, held=False))
        samples = sum(sum(part.shards.counts) for part in parts)
        keeps = self.keep_mib > 0 and self.crop is None
        self._kept = Kept(samples, self.size, self.keep_mib) if keeps else None
        self._parts = parts

    def _agree(self, encoder: dict[str, str], text: Path) -> None:
        if different := sidecar.differences(encoder, self.encoder or encoder):
            raise ValueError(
                f"{text} is of another encoder than the first folder: {different}; embed one of "
                "them anew (python -m imagen_lit.embed_text), so that all are of the same"
            )
        self.encoder = encoder

    def train_dataloader(self) -> "Endless":
        self.setup()
        rank, world = self._place()
        orders = [Order(part.counts, self.seed, self.window) for part in self._parts]
        order = Mixture(orders, [each.weight for each in self.sets], self.seed)
        reader = self._reader(self._parts, self.mirror, self.seed, self.tally)
        batches = Slices(order, self.batch_size, rank, world, self._images_seen, self.pieces(world))
        return Endless(reader, batches, self.workers)

    def val_dataloader(self) -> "list[Fixed]":
        self.setup()
        rank, world = self._place()
        # The seed is fixed too: runs that differ in their seed are validated on the same crops.
        part = replace(self._parts[0], held=True)
        reader = self._reader([part], False, 0, Tally(self.tally.tolerate))
        held = [(0, shard, n) for shard, count in enumerate(part.counts) for n in range(count)]
        places = [(position, *place) for position, place in enumerate(held)]
        batches = list(_shares(places, self._validated_at_once(world), rank, world))
        return [Fixed(reader, batches, self.workers)] if batches else []

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Text is packed until it is where it is used."""
        return padded(batch)

    def _reader(self, parts: list[Part], mirror: bool, seed: int, tally: Tally) -> Reader:
        return Reader(
            parts,
            size=self.size,
            crop=self.crop,
            mirror=mirror,
            seed=seed,
            kept=self._kept,
            tally=tally,
            window=self.window,
        )

    def _validated_at_once(self, world: int) -> int:
        """Pictures of all ranks. Two where training takes one, so that captions can be exchanged;
        without gradients that is less."""
        if self.at_once is None:
            return self.batch_size
        return min(self.batch_size, world * max(2, self.at_once))

    def _place(self) -> tuple[int, int]:
        """This process's rank, and the number of ranks."""
        trainer = self.trainer
        return (trainer.global_rank, trainer.world_size) if trainer is not None else (0, 1)


class Endless:
    """The training stream from a position on. Iterated again, it goes on where it was.

    Not a DataLoader, in which Lightning would exchange the sampler when there are several ranks;
    and without a length, so that a run is one long epoch. Lightning then fetches one batch ahead,
    which costs a resumed run nothing, because it starts from the images *trained on*. Its state is
    empty on purpose: the position is the run's one integer, and is not kept twice.
    """

    def __init__(self, reader: Reader, batches: Slices, workers: int) -> None:
        self.reader, self.batches, self.workers = reader, batches, workers

    def __iter__(self) -> Iterator[Batch]:
        batches = worker.start(_loader(self.reader, self.batches, self.workers))
        try:
            for number, batch in enumerate(batches, start=1):
                if number % self.batches.pieces == 0:
                    self.batches.start += self.batches.batch_size
                yield batch
        finally:
            worker.end(batches)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class Fixed:
    """The validation set; not a DataLoader either, for the same reason."""

    def __init__(self, reader: Reader, batches: list[list[Place]], workers: int) -> None:
        self._batches = len(batches)
        self._loader = _loader(reader, batches, workers, persistent_workers=workers > 0)

    def __iter__(self) -> Iterator[Batch]:
        return worker.start(self._loader)

    def __len__(self) -> int:
        return self._batches


def _loader(
    reader: Reader, batches: Iterable[list[Any]], workers: int, **options: Any
) -> DataLoader:
    return DataLoader(
        reader,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=collate,
        worker_init_fn=worker.begin,
        pin_memory=torch.cuda.is_available(),
        # Its own, or each new iterator would take a number from the global one.
        generator=torch.Generator(),
        **options,
    )


def _shares(places: list[Place], batch_size: int, rank: int, world: int) -> Iterator[list[Place]]:
    """A rank's slices of the global batches. All ranks get as many batches, of the same sizes.

    Where the last batch cannot be divided, the first samples fill it up: at most world - 1.
    """
    share(batch_size, world)
    for start in range(0, len(places), batch_size):
        batch = places[start : start + batch_size]
        size = -(-len(batch) // world)
        batch += [places[i % len(places)] for i in range(size * world - len(batch))]
        yield batch[rank * size : (rank + 1) * size]


def _threshold(parts: list[Part], shards: Collection) -> int | None:
    """What the first folder holds back is held back wherever the same folder comes again."""
    again = parts and parts[0].shards.folder.resolve() == shards.folder.resolve()
    return parts[0].selection.threshold if again else None


def _encoder(shards: Collection, text: Path) -> dict[str, str]:
    """Check every sidecar against its shard, and that all are of one encoder; say which."""
    first: dict[str, str] = {}
    for number, path in enumerate(shards.paths):
        file = sidecar.open_checked(text / f"{path.stem}.safetensors", shards.open(number))
        kind = sidecar.kind(file.fields)
        if different := sidecar.differences(kind, first or kind):
            raise ValueError(
                f"{text} mixes encoders or precisions: {file.path.name} differs from "
                f"{shards.paths[0].stem}.safetensors in {different}. Delete the files of one kind, "
                f"then make these shards' anew: {sidecar.command(shards.folder, text)}"
            )
        first = first or kind
    return sidecar.encoder(first)
