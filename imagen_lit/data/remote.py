"""Shards in an object store, read from front to back by webdataset's pipeline, with our checks.

If files allow random access, `loader.Data` is the better choice: its order is exact and is resumed
exactly. Here shards are drawn at random with replacement, and samples are shuffled in a buffer, so
a resumed run sees other samples than an uninterrupted one would have: its resume is only
statistical, and a warning says so. Noise and positions are exact here too.

A stream is validated on a local folder of shards, such as the first of them, and its filter is that
of files but for `distinct_captions`.

Text is in a local folder of sidecars, a row for each sample in the order of the tar; a shard that
is not the one its sidecar was made for is an error at its last sample at the latest.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
import webdataset
from lightning import LightningDataModule
from torch.utils.data import DataLoader

from imagen_lit.basics import reduction
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.short_form import quantity
from imagen_lit.data import loader_worker, lost_captions, sidecar, transform
from imagen_lit.data.batch_sampler import count_accumulation_steps, images_per_rank
from imagen_lit.data.filter import Filter
from imagen_lit.data.hash_set import HashSet
from imagen_lit.data.loader import ValidationBatches, ValidationFolder
from imagen_lit.data.numbered_batches import NumberedBatches
from imagen_lit.data.reader import Tally, collate, pad_text
from imagen_lit.data.selection import Selection
from imagen_lit.data.shard_files import metadata, shard_index, statistics, tar_stream
from imagen_lit.data.shard_files.collection import Collection
from imagen_lit.data.shuffle_buffer import shuffle

SCHEMES = ("https", "http", "s3", "gs", "hf", "file")
EXTRA = {"s3": "s3fs", "gs": "gcsfs"}  # extra packages: imagen-lit[s3], [gs]

MAX_LEFT_OUT = 10_000  # samples in a row, by the filter

log = logging.getLogger(__name__)


class Remote(LightningDataModule):
    """`shards` names tars with webdataset's braces: s3://bucket/laion/{00000..00999}.tar."""

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
        max_bad_fraction: float = 0.01,
        validation_shards: str | None = None,
        filter: Filter | None = None,
        kernel: str = "bicubic",
    ) -> None:
        super().__init__()
        transform.refuse_crop(crop, size)
        reduction.refuse_unknown("data.kernel", kernel)
        self.kernel = kernel
        if filter is not None and filter.distinct_captions:
            raise InputError(
                "data.filter.distinct_captions=true needs all captions at once, and a stream never "
                "has them. Set it to false, or filter the shards before they are uploaded."
            )
        self.filter = filter if filter is not None and filter.is_active else None
        self._validation: ValidationFolder | None = None
        if validation_shards is not None:
            self._validation = ValidationFolder(
                str(validation_shards),
                str(text),
                size,
                batch_size,
                crop,
                micro_batch_size,
                workers,
                validation=0,
                filter=filter,
                kernel=kernel,
            )
        self.urls = list(webdataset.shardlists.expand_urls(shards))
        for url in self.urls:
            _check(url)
        self.text, self.size, self.crop = Path(text), size, crop
        self.text_folder = self.text
        self.batch_size, self.micro_batch_size = batch_size, micro_batch_size
        self.workers, self.seed = workers, seed
        self.tally = Tally(max_bad_fraction)
        self.encoder: dict[str, str] = {}
        self.notes: list[str] = []  # what a user should know of the data, after `setup`
        self._images_seen = 0
        self._left_out = 0  # samples in a row

    def accumulation_steps(self, world: int) -> int:
        """How many forward passes of each rank make one update."""
        images = images_per_rank(self.batch_size, world)
        return count_accumulation_steps(images, self.micro_batch_size)

    def start_at(self, images_seen: int) -> None:
        """Count positions from here on; the samples differ from those of an uninterrupted run."""
        self._images_seen = int(images_seen)
        if images_seen:
            log.warning(
                "streamed shards resume only statistically: after %d images, the samples differ "
                "from those of an uninterrupted run",
                images_seen,
            )

    def setup(self, stage: str | None = None) -> None:
        """Read every sidecar's header; errors are raised here, before the first step."""
        if self.encoder:
            return
        previous: dict[str, str] = {}
        lost: list[dict[str, str]] = []
        samples = 0
        for url in self.urls:
            text = self._sidecar(url)
            samples, kind = samples + len(text), sidecar.kind(text.fields)
            if difference := sidecar.differences(kind, previous or kind):
                raise InputError(
                    f"{self.text} mixes encoders or precisions: {_stem(url)}.safetensors differs "
                    f"from the one before: {difference}. Delete the files of one kind, then embed "
                    "their captions again."
                )
            previous = kind
            lost.append(lost_captions.of(text.fields))
        if not samples:
            raise InputError(
                f"there are no samples in {quantity(len(self.urls), 'shard')} ({self.urls[0]} …). "
                "Set data.shards=... to other shards."
            )
        self.encoder = sidecar.encoder_fields(previous)
        if self._validation is not None:
            self._refuse_overlap(self._validation)
            self._validation.setup()
        self.notes = lost_captions.report(self.encoder.get("encoder", "the encoder"), lost)

    def _refuse_overlap(self, validation: ValidationFolder) -> None:
        """A shard's text is found by its name, so no two shards may share one."""
        names = {path.stem for path in validation.held_back()[0].paths}
        if both := sorted(names & {_stem(url) for url in self.urls}):
            raise InputError(
                f"{both[0]}.tar is in data.shards and in data.validation_shards: it would be "
                "trained on and validated on. Leave it out of data.shards, or rename it."
            )

    def train_dataloader(self) -> NumberedBatches:
        """The endless stream of this rank."""
        trainer = self.trainer
        rank, world = (trainer.global_rank, trainer.world_size) if trainer is not None else (0, 1)
        # Ranks differ in their seed: nothing here looks up its rank in the environment.
        entropy = [self.seed, rank, world, self._images_seen]
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        steps = self.accumulation_steps(world)
        pipeline = webdataset.DataPipeline(
            webdataset.ResampledShards(self.urls, seed=seed, deterministic=True),
            self._samples,
            partial(shuffle, seed=seed),
            self._decode,
        )
        loader = DataLoader(
            pipeline,
            batch_size=images_per_rank(self.batch_size, world) // steps,
            num_workers=self.workers,
            collate_fn=collate,
            worker_init_fn=loader_worker.init_worker,
            generator=torch.Generator().manual_seed(seed),
        )
        return NumberedBatches(loader, self._images_seen, self.batch_size, rank, steps)

    def val_dataloader(self) -> list[ValidationBatches]:
        """This rank's part of the folder to validate on, if there is one."""
        if self._validation is None:
            return []
        self._validation.trainer = self.trainer
        return self._validation.val_dataloader()

    def held_back(self) -> tuple[Collection, Selection]:
        """The folder to validate on, as a whole."""
        if self._validation is None:
            raise InputError(
                "nothing is held back of a stream of shards, so there are no captions to draw. Set "
                "data.validation_shards=<a local folder of shards>, or data/prompts=file "
                "prompts.path=<one prompt per line>, or callbacks=default."
            )
        return self._validation.held_back()

    def on_after_batch_transfer(self, batch: dict[str, Any], dataloader_idx: int) -> dict[str, Any]:
        """Text travels packed, and is padded on the device."""
        return pad_text(batch)

    def _sidecar(self, url: str) -> sidecar.Sidecar:
        try:
            return sidecar.Sidecar(self.text / f"{_stem(url)}.safetensors")
        except (FileNotFoundError, InputError) as error:
            command = sidecar.command(Path("<a local copy of the shards>"), self.text)
            raise type(error)(f"{error} To make it, type: {command}") from error

    def _samples(self, urls: Iterable[dict[str, str]]) -> Iterator[dict[str, Any]]:
        for item in urls:
            url = item["url"] if isinstance(item, dict) else item
            text, count = self._sidecar(url), 0
            keys, captions = shard_index.Digest(), shard_index.Digest()
            for row, sample in enumerate(tar_stream.read_samples(url)):
                count += 1
                keys.add(sample["key"].encode())
                captions.add(sample["caption"])
                if row >= len(text):
                    break
                yield sample | {"text": text.row(row), "caption": sample["caption"].decode()}
            fields = {"samples": str(count), "keys_sha256": keys.hex()}
            fields["captions_sha256"] = captions.hex()
            if difference := sidecar.differences(text.fields, fields):
                raise InputError(
                    f"{text.path} holds the text of other samples than the shard here, {url}: "
                    f"{difference}. Embed the captions of this shard again."
                )

    def _decode(self, samples: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for sample in samples:
            if self.filter is not None and not self._passes(self.filter, sample):
                continue
            try:
                image = transform.decode(sample["image"], self.size, sample["orientation"])
                image = transform.resize(image, self.size, self.kernel)
            except transform.Unusable as error:
                self.tally.count_replacement(
                    f"{sample['shard']} holds {sample['key']!r}, but {error}"
                )
                continue
            self.tally.count_image()
            edge = self.crop or self.size
            margins = torch.tensor(image.shape[1:]) - edge
            top, left = (margins // 2).tolist()
            if self.crop is not None:
                top, left = (int(torch.randint(int(n) + 1, ())) for n in margins)
            image = transform.crop(image, edge, top, left)
            yield sample | {"image": image, "position": 0}  # numbered when the batch arrives

    def _passes(self, bounds: Filter, sample: dict[str, Any]) -> bool:
        """Whether the filter leaves a sample in; an error if it leaves out one after the other."""
        row = {**sample, "metadata": metadata.parse(sample["json"])}
        mask, reasons = bounds.keep(statistics.of_samples([row]), HashSet())
        is_in = bool(mask[0])
        self._left_out = 0 if is_in else self._left_out + 1
        if self._left_out >= MAX_LEFT_OUT:
            reason = next(name for name, count in reasons.items() if count)
            raise InputError(
                f"data.filter left out {MAX_LEFT_OUT:,} samples in a row, the last of them because "
                f"of {reason}. Set wider bounds."
            )
        return is_in


def _check(url: str) -> None:
    match = re.match(r"([a-z0-9+.-]+):", url, flags=re.IGNORECASE)
    scheme = match[1].lower() if match else "file"
    if scheme not in SCHEMES:
        allowed = ", ".join(SCHEMES)
        raise InputError(f"{url} is refused. Set an address that begins with one of {allowed}.")
    if scheme in EXTRA and not find_spec(EXTRA[scheme]):
        raise InputError(f"{url} needs {EXTRA[scheme]}. Type pip install 'imagen-lit[{scheme}]'.")


def _stem(url: str) -> str:
    return url.rpartition("/")[2].removesuffix(".tar")
