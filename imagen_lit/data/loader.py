"""The data of a training run, as Lightning expects it.

`Data` joins folders of shards with the text sidecars of one encoder and yields batches `{image
[B,3,H,W] in [-1,1], text [B,L,D], mask [B,L], caption, key, position [B]}`. Training is one endless
stream; `start_at(images_seen)` opens it at a position, and that integer is all a resume needs.
Validation is a fixed, finite set.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader

from imagen_lit.basics import arguments, reduction
from imagen_lit.basics.errors import InputError
from imagen_lit.data import loader_worker, sidecar, transform
from imagen_lit.data.batch_sampler import BatchSlices, count_accumulation_steps, images_per_rank
from imagen_lit.data.decoded_cache import DecodedCache
from imagen_lit.data.filter import Filter
from imagen_lit.data.mixture import BLOCK, Mixture
from imagen_lit.data.reader import Place, Reader, Tally, collate, pad_text
from imagen_lit.data.selection import Selection, select
from imagen_lit.data.shard_files.collection import Collection
from imagen_lit.data.shard_files.shard_index import HASHES
from imagen_lit.data.shard_set import ShardSet, ShardSetSpec, parse_shard_set
from imagen_lit.data.shuffle_order import Order
from imagen_lit.data.sidecar_check import cached_check
from imagen_lit.data.stateless import Stateless

Batch = dict[str, Any]


class Data(LightningDataModule):
    """`text` is an encoder's name (its sidecars are in `<shards>.text/<name>`) or a folder of them.

    Images are resized to `size` by `kernel` (imagen_lit/basics/reduction.py); then a random square
    of `crop` is taken, or, without it, the one in the middle. `batch_size` counts the images of one
    update, over all ranks; `micro_batch_size` those of one rank's forward pass: the update is the
    same. `mixed_with` adds folders, each {shards, weight} and, optionally, its own text and filter.
    `validation` is a fraction or a number of samples of the first folder that are held back, also
    where the same folder is mixed in again. Every `mixture_block` images have exactly the folders'
    shares: a thousand, or those of a batch. Images are cached only if they are not cropped.
    `horizontal_flip` is off because captions speak of left and right.
    """

    def __init__(
        self,
        shards: str,
        text: str,
        size: int,
        batch_size: int,
        crop: int | None = None,
        micro_batch_size: int | None = None,
        workers: int = 0,
        seed: int = 0,
        validation: float = 0.02,
        window: int = 64,
        decoded_cache_mib: float = 0.0,
        horizontal_flip: bool = False,
        max_bad_fraction: float = 0.01,
        filter: Filter | None = None,
        weight: float = 1.0,
        mixed_with: Sequence[Mapping[str, Any]] = (),
        mixture_block: int = BLOCK,
        kernel: str = "bicubic",
    ) -> None:
        super().__init__()
        transform.refuse_size(size)
        arguments.whole_number("data.batch_size", batch_size, 1)
        arguments.whole_number("data.workers", workers, 0)
        arguments.whole_number("data.seed", seed, 0)
        arguments.whole_number("data.window", window, 1)
        arguments.number("data.validation", validation, 0)
        arguments.number("data.decoded_cache_mib", decoded_cache_mib, 0)
        arguments.fraction("data.max_bad_fraction", max_bad_fraction)
        transform.refuse_crop(crop, size)
        reduction.refuse_unknown("data.kernel", kernel)
        self.kernel = kernel
        self.size, self.crop, self.horizontal_flip = size, crop, horizontal_flip
        self.batch_size, self.micro_batch_size = batch_size, micro_batch_size
        self.specs = [
            ShardSetSpec(shards, text, arguments.positive_number("weight", weight), filter)
        ]
        self.mixture_block = arguments.whole_number("data.mixture_block", mixture_block, 1)
        self.specs += [parse_shard_set(entry, text) for entry in mixed_with]
        self.workers, self.seed, self.validation = workers, seed, validation
        self.window, self.decoded_cache_mib = window, decoded_cache_mib
        self.tally = Tally(max_bad_fraction)  # of the training images
        self.encoder: dict[str, str] = {}  # what the sidecars say of the encoder, after `setup`
        self.notes: list[str] = []  # what a user should know of the data, after `setup`
        self._images_seen = 0
        self._shard_sets: list[ShardSet] = []

    def start_at(self, images_seen: int) -> None:
        """Open the training stream at this position, from the next `train_dataloader()` on."""
        self._images_seen = int(images_seen)

    def accumulation_steps(self, world: int) -> int:
        """How many forward passes of each rank make one update."""
        images = images_per_rank(self.batch_size, world)
        return count_accumulation_steps(images, self.micro_batch_size)

    def setup(self, stage: str | None = None) -> None:
        """Open and check everything; errors are raised here, before the first step."""
        if self._shard_sets:
            return
        shard_sets: list[ShardSet] = []
        for spec in self.specs:
            shards = Collection(spec.shards)
            validation = 0 if shard_sets else self.validation
            threshold = self._threshold(shard_sets, shards)
            selection = select(shards, spec.filter, validation, threshold)
            text, lost = self._text(shards, spec.text)
            notes = [selection.summary, *lost]
            self.notes += [f"{shards.folder}: {note}" for note in notes if note]
            shard_sets.append(ShardSet(shards, text, selection))
        samples = sum(sum(each.shards.counts) for each in shard_sets)
        is_cached = self.decoded_cache_mib > 0 and self.crop is None
        self._cache = (
            DecodedCache(samples, self.size, self.decoded_cache_mib) if is_cached else None
        )
        self._shard_sets = shard_sets

    @property
    def text_folder(self) -> Path | None:
        """The first folder of sidecars, after `setup`."""
        return self._shard_sets[0].text

    def _text(self, shards: Collection, name: str) -> tuple[Path | None, Sequence[str]]:
        """The folder of sidecars, checked, and what was lost of the captions, in words."""
        text = sidecar.find_folder(shards.folder, name)
        checked = cached_check(shards, text)
        self._check_encoder(checked.encoder, text)
        return text, checked.lost

    def _check_encoder(self, encoder: dict[str, str], text: Path) -> None:
        if difference := sidecar.differences(encoder, self.encoder or encoder):
            raise InputError(
                f"{text} was made by another encoder than the first folder: {difference}. Embed "
                "one of them again (python -m imagen_lit.embed_text), so that all have the same."
            )
        self.encoder = encoder

    def held_back(self) -> tuple[Collection, Selection]:
        """The first folder, and what is held back of it."""
        spec = self.specs[0]
        shards = Collection(spec.shards)
        return shards, select(shards, spec.filter, self.validation, self._threshold([], shards))

    def train_dataloader(self) -> "TrainingBatches":
        """This rank's slices of the endless stream, from the position of `start_at` on."""
        self.setup()
        rank, world = self._rank()
        orders = [Order(each.counts, self.seed, self.window) for each in self._shard_sets]
        order = Mixture(orders, [spec.weight for spec in self.specs], self.seed, self.mixture_block)
        reader = self._reader(self._shard_sets, self.horizontal_flip, self.seed, self.tally)
        start, steps = self._images_seen, self.accumulation_steps(world)
        batches = BatchSlices(order, self.batch_size, rank, world, start, steps)
        return TrainingBatches(reader, batches, self.workers)

    def val_dataloader(self) -> "list[ValidationBatches]":
        """This rank's part of the validation set, or no loader if nothing is held back."""
        self.setup()
        rank, world = self._rank()
        # The seed is fixed too: runs that differ in their seed are validated on the same crops.
        first = replace(self._shard_sets[0], is_validation=True)
        reader = self._reader([first], False, 0, Tally(self.tally.max_bad_fraction))
        samples = [(shard, n) for shard, count in enumerate(first.counts) for n in range(count)]
        places = [(position, 0, *sample) for position, sample in enumerate(samples)]
        batches = list(_rank_slices(places, self._validation_batch_size(world), rank, world))
        return [ValidationBatches(reader, batches, self.workers)] if batches else []

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Text travels packed, and is padded on the device."""
        return pad_text(batch)

    def _reader(
        self, shard_sets: list[ShardSet], horizontal_flip: bool, seed: int, tally: Tally
    ) -> Reader:
        images = self.size, self.crop, horizontal_flip, seed
        memory = self._cache, tally, self.window
        return Reader(shard_sets, *images, *memory, self.kernel)

    def _validation_batch_size(self, world: int) -> int:
        """Images of all ranks. Two if training takes one, so that captions can be swapped; without
        gradients two take less memory."""
        if self.micro_batch_size is None:
            return self.batch_size
        return min(self.batch_size, world * max(2, self.micro_batch_size))

    def _threshold(self, earlier: list[ShardSet], shards: Collection) -> int | None:
        """The first folder's, if `shards` is that folder again: it holds back the same rows."""
        if earlier and earlier[0].shards.folder.resolve() == shards.folder.resolve():
            return earlier[0].selection.threshold
        return None

    def _rank(self) -> tuple[int, int]:
        """This process's rank, and the number of ranks."""
        trainer = self.trainer
        return (trainer.global_rank, trainer.world_size) if trainer is not None else (0, 1)


class ValidationFolder(Data):
    """A folder that is validated on as a whole."""

    def _threshold(self, earlier: list[ShardSet], shards: Collection) -> int:
        return HASHES


class TrainingBatches(Stateless):
    """The training stream from a position on. Iterated again, it continues where it was.

    Not a DataLoader, because with several ranks Lightning would replace its sampler; and without a
    length, so that a run is one long epoch. Lightning then fetches one batch ahead, which costs a
    resumed run nothing, because it starts from the images *trained on*.
    """

    def __init__(self, reader: Reader, batches: BatchSlices, workers: int) -> None:
        self.reader, self.batches, self.workers = reader, batches, workers

    def __iter__(self) -> Iterator[Batch]:
        batches = loader_worker.iterate(_loader(self.reader, self.batches, self.workers))
        try:
            for number, batch in enumerate(batches, start=1):
                if number % self.batches.accumulation_steps == 0:
                    self.batches.start += self.batches.batch_size
                yield batch
        finally:
            loader_worker.shut_down(batches)


class ValidationBatches:
    """The validation set; not a DataLoader either, for the same reason."""

    def __init__(self, reader: Reader, batches: list[list[Place]], workers: int) -> None:
        self._batches = len(batches)
        self._loader = _loader(reader, batches, workers, persistent_workers=workers > 0)

    def __iter__(self) -> Iterator[Batch]:
        return loader_worker.iterate(self._loader)

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
        worker_init_fn=loader_worker.init_worker,
        pin_memory=torch.cuda.is_available(),
        # A separate one, or each new iterator would draw a number from the global one.
        generator=torch.Generator(),
        **options,
    )


def _rank_slices(
    places: list[Place], batch_size: int, rank: int, world: int
) -> Iterator[list[Place]]:
    """A rank's slices of the global batches. All ranks get equally many batches, of equal sizes.

    If the last batch cannot be divided, the first samples fill it up: at most world - 1.
    """
    images_per_rank(batch_size, world)
    for start in range(0, len(places), batch_size):
        batch = places[start : start + batch_size]
        size = -(-len(batch) // world)
        batch += [places[i % len(places)] for i in range(size * world - len(batch))]
        yield batch[rank * size : (rank + 1) * size]
