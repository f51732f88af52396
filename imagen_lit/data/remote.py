"""Shards in an object store: read from front to back, by webdataset's pipeline and with our
caution.

Where files can be read at any place, `loader.Data` is the better choice: its order is exact and is
resumed exactly. Here shards are drawn at random, again and again, and samples are mixed in a
buffer, so a resumed run sees other samples than an unbroken one would have: its resume is only
statistical, and it says so. Noise and positions are exact here too.

Text lies in a local folder of sidecars, a row for each sample in the order of the tar; a shard that
is not the one its sidecar was made for is an error at its last sample at the latest.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import fsspec
import numpy as np
import torch
import webdataset
from lightning import LightningDataModule
from torch.utils.data import DataLoader

from imagen_lit.data import shard, sidecar, tar, transform, worker
from imagen_lit.data.buffer import mixed
from imagen_lit.data.known import turn
from imagen_lit.data.reader import Tally, collate, padded
from imagen_lit.data.stream import pieces, share

SCHEMES = ("https", "http", "s3", "gs", "hf", "file")
EXTRA = {"s3": "s3fs", "gs": "gcsfs"}  # what must be installed besides: imagen-lit[s3], [gs]

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
        at_once: int | None = None,
        workers: int = 0,
        seed: int = 0,
        tolerate: float = 0.01,
    ) -> None:
        super().__init__()
        transform.refuse_crop(crop, size)
        self.urls = list(webdataset.shardlists.expand_urls(shards))
        for url in self.urls:
            _check(url)
        self.text, self.size, self.crop = Path(text), size, crop
        self.batch_size, self.at_once, self.workers, self.seed = batch_size, at_once, workers, seed
        self.tally = Tally(tolerate)
        self.encoder: dict[str, str] = {}
        self._images_seen = 0

    def pieces(self, world: int) -> int:
        """How many forward passes of each rank make one update."""
        return pieces(share(self.batch_size, world), self.at_once)

    def start_at(self, images_seen: int) -> None:
        self._images_seen = int(images_seen)
        if images_seen:
            log.warning(
                "streamed shards resume only statistically: after %d images other samples follow "
                "than would have without the interruption",
                images_seen,
            )

    def setup(self, stage: str | None = None) -> None:
        """Read every sidecar's header; an error comes here, before the first step."""
        if self.encoder:
            return
        kind: dict[str, str] = {}
        samples = 0
        for url in self.urls:
            text = self._sidecar(url)
            samples, found = samples + len(text), sidecar.kind(text.fields)
            if different := sidecar.differences(found, kind or found):
                raise ValueError(
                    f"{self.text} mixes encoders or precisions, at {_stem(url)}: {different}."
                )
            kind = found
        if not samples:
            raise ValueError(
                f"found no samples in any of {len(self.urls)} shards, {self.urls[0]} …"
            )
        self.encoder = sidecar.encoder(kind)

    def train_dataloader(self) -> "Numbered":
        trainer = self.trainer
        rank, world = (trainer.global_rank, trainer.world_size) if trainer is not None else (0, 1)
        # Ranks are told apart by the seed: nothing here asks the environment who it is.
        words = [self.seed, rank, world, self._images_seen]
        seed = int(np.random.SeedSequence(words).generate_state(1)[0])
        pipeline = webdataset.DataPipeline(
            webdataset.ResampledShards(self.urls, seed=seed, deterministic=True),
            self._samples,
            partial(mixed, seed=seed),
            self._decoded,
        )
        loader = DataLoader(
            pipeline,
            batch_size=share(self.batch_size, world) // self.pieces(world),
            num_workers=self.workers,
            collate_fn=collate,
            worker_init_fn=worker.begin,
            generator=torch.Generator().manual_seed(seed),
        )
        return Numbered(loader, self._images_seen, self.batch_size, rank, self.pieces(world))

    def on_after_batch_transfer(self, batch: dict[str, Any], dataloader_idx: int) -> dict[str, Any]:
        return padded(batch)

    def _sidecar(self, url: str) -> sidecar.Sidecar:
        try:
            return sidecar.Sidecar(self.text / f"{_stem(url)}.safetensors")
        except (FileNotFoundError, ValueError) as error:
            cure = sidecar.command(Path("<a local copy of the shards>"), self.text)
            raise type(error)(f"{error} To make it, type: {cure}") from error

    def _samples(self, urls: Iterable[dict[str, str]]) -> Iterator[dict[str, Any]]:
        for url in urls:
            address = url["url"] if isinstance(url, dict) else url
            text, count = self._sidecar(address), 0
            keys, captions = shard.Digest(), shard.Digest()
            for row, found in enumerate(members(address)):
                count += 1
                keys.add(found["key"].encode())
                captions.add(found["caption"])
                if row >= len(text):
                    break
                yield found | {"text": text.row(row), "caption": found["caption"].decode()}
            of = {
                "samples": str(count),
                "keys_sha256": keys.hex(),
                "captions_sha256": captions.hex(),
            }
            if different := sidecar.differences(text.fields, of):
                raise ValueError(f"{text.path} is of other samples than {address}: {different}.")

    def _decoded(self, samples: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for found in samples:
            try:
                picture = transform.decode(found["image"], self.size, found["turn"])
                picture = transform.resize(picture, self.size)
            except transform.Unusable as error:
                self.tally.replace(f"{found['shard']} holds {found['key']!r}, but {error}")
                continue
            self.tally.see()
            edge = self.crop or self.size
            places = torch.tensor(picture.shape[1:]) - edge
            top, left = (places // 2).tolist()
            if self.crop is not None:
                top, left = (int(torch.randint(int(n) + 1, ())) for n in places)
            yield {
                "image": transform.crop(picture, edge, top, left),
                "text": found["text"],
                "caption": found["caption"],
                "key": found["key"],
                "position": 0,  # given when the batch arrives
            }


class Numbered:
    """Batches get their positions as they arrive in the main process: whatever the workers did,
    positions, and with them the noise, go on without gap."""

    def __init__(
        self, loader: DataLoader, start: int, batch_size: int, rank: int, pieces: int
    ) -> None:
        self.loader, self.start, self.batch_size = loader, start, batch_size
        self.rank, self.pieces = rank, pieces

    def __iter__(self) -> Iterator[dict[str, Any]]:
        batches = worker.start(self.loader)
        try:
            for number, batch in enumerate(batches):
                mine, piece = len(batch["position"]), number % self.pieces
                first = self.start + (self.rank * self.pieces + piece) * mine
                batch["position"] = torch.arange(first, first + mine)
                if piece == self.pieces - 1:
                    self.start += self.batch_size
                yield batch
        finally:
            worker.end(batches)

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


def members(url: str) -> Iterator[dict[str, Any]]:
    """{key, image, caption (bytes), turn, shard} of each sample of a tar, read once from front to
    back; what is no sample is left out, as in `shard.index`."""
    with _opened(url) as file:
        parts: dict[int, bytes] = {}
        key, bad = None, False
        for member in tar.members(url, file, "r|"):
            if member.key != key:
                yield from () if bad else _whole(url, key, parts)
                key, bad, parts = member.key, False, {}
            if member.too_large or member.kind in parts:
                bad = True
            elif member.kind is not None:
                parts[member.kind] = member.read()
        yield from () if bad else _whole(url, key, parts)


class _Store:
    """A file in a store, whose faults are never taken for the tar's."""

    def __init__(self, url: str, file: BinaryIO) -> None:
        self.url, self.file = url, file

    def read(self, count: int) -> bytes:
        with _in_words(self.url, "read to its end"):
            return self.file.read(count)


@contextmanager
def _opened(url: str) -> Iterator[_Store]:
    with _in_words(url, "opened"):
        file = fsspec.open(url, "rb").open()
    with file:
        yield _Store(url, file)


@contextmanager
def _in_words(url: str, what: str) -> Iterator[None]:
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # each store has errors of its own
        said = "nothing was found there" if isinstance(error, FileNotFoundError) else repr(error)
        raise ConnectionError(
            f"{url} cannot be {what} ({said}): are the address and the network right, and may you "
            "read there?"
        ) from error


def _whole(url: str, key: str | None, parts: dict[int, bytes]) -> Iterator[dict[str, Any]]:
    if not shard.lacks(0 in parts, parts.get(1)):
        found = {"image": parts[0], "caption": parts[1], "turn": turn(parts.get(2, b""))}
        yield {"key": key, "shard": url} | found


def _check(url: str) -> None:
    found = re.match(r"([a-z0-9+.-]+):", url, flags=re.IGNORECASE)
    scheme = found[1].lower() if found else "file"
    if scheme not in SCHEMES:
        raise ValueError(f"found the address {url!r}: expected one of {', '.join(SCHEMES)}")
    if scheme in EXTRA and not find_spec(EXTRA[scheme]):
        raise ValueError(f"{url} needs {EXTRA[scheme]}: type pip install 'imagen-lit[{scheme}]'")


def _stem(url: str) -> str:
    return url.rpartition("/")[2].removesuffix(".tar")
