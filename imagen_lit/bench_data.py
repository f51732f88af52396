"""Measure how fast the data reader is, against webdataset's own pipeline, on the same images in one
run.

Both decode and resize with the same function, so what differs is how a sample is found, read and
joined with its text: ours by `pread` and one packed sidecar per shard, webdataset's sequentially
with one .npy per sample in the tar. The two alternate in rounds, and the best of each counts.
"""

import io
import os
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import webdataset
from omegaconf import DictConfig
from PIL import Image

from imagen_lit import bench
from imagen_lit.basics import arguments, chosen_folder
from imagen_lit.basics.progress_line import Counter
from imagen_lit.cli import command, config
from imagen_lit.data import sidecar, transform
from imagen_lit.data.loader import Data
from imagen_lit.data.mixture import Mixture
from imagen_lit.data.reader import collate, pad_text
from imagen_lit.data.shard_files import shard
from imagen_lit.data.shuffle_order import Order


def photos(count: int, edge: int) -> Iterator[bytes]:
    """JPEGs with the detail of photographs: noise at every scale, fading towards the finest."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        image = np.zeros((edge, edge, 3))
        for scale in (4, 8, 16, 32, 64, 128, 256):
            small = rng.normal(size=(scale, scale, 3)) * 90 / scale**0.5
            large = torch.nn.functional.interpolate(
                torch.from_numpy(small).permute(2, 0, 1)[None], size=(edge, edge), mode="bilinear"
            )
            image += large[0].permute(1, 2, 0).numpy()
        file = io.BytesIO()
        pixels = (image + 128).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(file, "JPEG", quality=95)
        yield file.getvalue()


def make(folder: Path, count: int, per_shard: int, edge: int, width: int, tokens: int) -> None:
    """The same samples twice: `ours` with sidecars, `theirs` with an .npy in the tar."""
    g, progress = torch.Generator().manual_seed(0), Counter("samples made")
    progress.start(0, count)
    all_images = list(photos(min(count, per_shard), edge))
    for number in range(-(-count // per_shard)):
        images = all_images[: count - number * per_shard]
        rows = [torch.randn(tokens, width, generator=g).bfloat16() for _ in images]
        keys = [f"{number:05d}{i:05d}" for i in range(len(images))]
        path = folder / "ours" / f"{number:05d}.tar"
        shard.write(
            path,
            (
                {"key": key, "image": image, "extension": "jpg", "caption": f"a photo {key}"}
                | {"metadata": {"original_width": edge}}
                for key, image in zip(keys, images, strict=True)
            ),
        )
        fields = {
            **sidecar.expected_fields(shard.Shard(path)),
            "storage": "bfloat16",
            "encoder.name": "t5",
        }
        sidecar.write(folder / "ours.text/t5" / f"{number:05d}.safetensors", rows, fields)
        (folder / "theirs").mkdir(parents=True, exist_ok=True)
        with webdataset.TarWriter(str(folder / "theirs" / path.name)) as tar:
            for key, image, row in zip(keys, images, rows, strict=True):
                text = io.BytesIO()
                np.save(text, row.half().numpy())
                tar.write({"__key__": key, "jpg": image, "txt": f"a photo {key}"}
                          | {"npy": text.getvalue()})  # fmt: skip
        progress(min(count, (number + 1) * per_shard), count)


def decode(data: bytes, size: int) -> torch.Tensor:
    """Decode and resize, the same way for both."""
    return transform.centre(transform.resize(transform.decode(data, size), size), size)


def ours_raw(folder: Path) -> int:
    """Read all our images and captions, in random order within a shard; return how many."""
    count = 0
    for path in sorted((folder / "ours").glob("*.tar")):
        opened = shard.Shard(path)
        for row in np.random.default_rng(0).permutation(len(opened)).tolist():
            opened.image(row), opened.caption(row)
            count += 1
    return count


def theirs_raw(folder: Path) -> int:
    """Read all their samples in file order; return how many."""
    urls = sorted(map(str, (folder / "theirs").glob("*.tar")))
    return sum(1 for _ in webdataset.WebDataset(urls, shardshuffle=False))


def ours(folder: Path, size: int, batch: int, count: int) -> int:
    """Read `count` samples as training does, in batches; return how many."""
    data = Data(str(folder / "ours"), "t5", size=size, batch_size=batch, validation=0)
    for number, packed in enumerate(data.train_dataloader(), 1):
        pad_text(packed)
        if number * batch >= count:
            return number * batch
    raise AssertionError("the stream is endless")


def theirs(folder: Path, size: int, batch: int, count: int) -> int:
    """The same with webdataset's pipeline."""

    def sample(member: dict[str, Any]) -> dict[str, Any]:
        text = torch.from_numpy(np.load(io.BytesIO(member["npy"]), allow_pickle=False))
        rest = {"key": member["__key__"], "caption": member["txt"].decode(), "position": 0}
        return {"image": decode(member["jpg"], size), "text": text, **rest}

    urls = sorted(map(str, (folder / "theirs").glob("*.tar")))
    pipeline = webdataset.WebDataset(urls, shardshuffle=len(urls), seed=0).shuffle(1000).map(sample)
    done = 0
    for packed in pipeline.batched(batch, collation_fn=collate, partial=False):
        pad_text(packed)
        done += batch
        if done >= count:
            break
    return done


def best(ways: Mapping[str, Callable[[], int]], rounds: int, unit: str) -> dict[str, float]:
    """Samples a second of each method, the best of rounds in which they alternate."""
    rates, progress = dict.fromkeys(ways, 0.0), Counter(unit)
    total = (rounds + 1) * len(ways)  # the first round warms the page cache
    progress.start(0, total)
    for done in range(0, total, len(ways)):
        for number, (name, way) in enumerate(ways.items(), 1):
            start = time.perf_counter()
            count = way()
            rates[name] = max(rates[name], count / (time.perf_counter() - start))
            progress(done + number, total)
    return rates


def parts(folder: Path, size: int, samples: int = 500) -> dict[str, float]:
    """Microseconds per sample of each part of our method."""
    path = min((folder / "ours").glob("*.tar"))
    opened = shard.Shard(path)
    text = sidecar.Sidecar(folder / "ours.text/t5" / f"{path.stem}.safetensors")
    rows = [i % len(opened) for i in range(samples)]
    micros: dict[str, float] = {}

    def timed(name: str, work: Callable[[Any], Any], items: list[Any]) -> list[Any]:
        start = time.perf_counter()
        results = [work(item) for item in items]
        micros[name] = (time.perf_counter() - start) / len(items) * 1e6
        return results

    files = timed("read image", opened.image, rows)
    timed("read caption", opened.caption, rows)
    vectors = timed("read text", text.row, rows)
    images = timed("decode", partial(transform.decode, edge=size), files)
    small = timed("resize", lambda x: transform.centre(transform.resize(x, size), size), images)
    samples_read = [
        {"image": image, "text": vector, "caption": "", "key": "", "position": 0}
        for image, vector in zip(small, vectors, strict=True)
    ]
    batches = [samples_read[i : i + 64] for i in range(0, len(samples_read) - 63, 64)]
    packed = timed("collate", collate, batches)
    timed("pad", pad_text, packed)
    return micros | {name: micros[name] / 64 for name in ("collate", "pad")}


def order(shards: int, per_shard: int, samples: int = 100_000) -> tuple[float, float, float]:
    """For a simulated collection: seconds to the first batch, then seconds per sample; MiB."""
    tracemalloc.start()
    counts = np.full(shards, per_shard)
    start = time.perf_counter()
    stream = Mixture([Order(counts, seed=0)], [1.0], seed=0)
    stream.locate(np.arange(64))
    first = time.perf_counter() - start
    memory = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    start = time.perf_counter()
    for batch in range(samples // 64):
        stream.locate(np.arange(batch * 64, batch * 64 + 64))
    return first, (time.perf_counter() - start) / samples, memory


def start(folder: Path, shards: int) -> tuple[float, float]:
    """Seconds until a collection of this many shards can be trained on: the first time, and later.
    They are the first shard of `make` under many names."""
    progress = Counter("starts timed")
    progress.start(0, 2)
    kinds = {"ours": ".tar", "ours.meta": ".index.safetensors", "ours.text/t5": ".safetensors"}
    for place, suffix in kinds.items():
        many = folder / place.replace("ours", "many")
        many.mkdir(parents=True)
        for number in range(shards):
            os.link(folder / place / f"00000{suffix}", many / f"{number:05d}{suffix}")
    seconds = []
    for done in (1, 2):
        before = time.perf_counter()
        Data(str(folder / "many"), "t5", size=1, batch_size=1, validation=0.002).setup()
        seconds.append(time.perf_counter() - before)
        progress(done, 2)
    return seconds[0], seconds[1]


@command.main("bench_data")
def main(cfg: DictConfig) -> None:
    """Measure everything on samples made for this run, and print it."""
    arguments.whole_numbers(cfg, count=1, per_shard=1, edge=8, size=8, width=1, tokens=1)
    arguments.whole_numbers(cfg, batch=1, rounds=1, shards=1)
    trial = config.compose("train", [f"stage={cfg.stage_name}"])
    place = None if cfg.scratch is None else chosen_folder.existing("scratch", cfg.scratch)
    with tempfile.TemporaryDirectory(dir=place, prefix="imagen_lit_bench_") as name:
        folder = Path(name)
        make(folder, cfg.count, cfg.per_shard, cfg.edge, cfg.width, cfg.tokens)
        ways = {"ours": partial(ours_raw, folder), "theirs": partial(theirs_raw, folder)}
        raw = best(ways, cfg.rounds, "raw readings")
        words = folder, cfg.size, min(cfg.batch, cfg.count), cfg.count
        ways = {"ours": partial(ours, *words), "theirs": partial(theirs, *words)}
        whole = best(ways, cfg.rounds, "readings in batches")
        micros = parts(folder, cfg.size)
        starts = start(folder, cfg.shards)
    print(f"{cfg.count} JPEGs of {cfg.edge} pixels, text {cfg.tokens} x {cfg.width}, one worker")
    for name, rates in (("raw reading", raw), (f"to {cfg.size}x{cfg.size}, batched", whole)):
        print(
            f"{name:20} {rates['ours']:10,.0f} samples/s   webdataset {rates['theirs']:10,.0f}   "
            f"ratio {rates['ours'] / rates['theirs']:.2f}"
        )
    total = sum(micros.values())
    for part, micro in micros.items():
        print(f"  {part:18} {micro:10,.1f} us a sample   {micro / total:.0%}")
    first, each, memory = order(40_000, 10_000)
    print(
        f"order of 40,000 shards x 10,000 samples: first {first * 1e3:.0f} ms, then "
        f"{each * 1e6:.2f} us a sample, {memory:.0f} MiB"
    )
    print(
        f"start of a collection of {cfg.shards:,} shards: {starts[0]:,.0f} s the first time, "
        f"{starts[1]:.1f} s from then on"
    )
    _compare_with_network(trial, whole["ours"])


def _compare_with_network(trial: DictConfig, rate: float) -> None:
    network = trial.data.batch_size / bench.step_seconds(trial)
    workers = network / rate
    if workers < 1:
        verdict = f"the network is the limit: one worker reads {1 / workers:.1f} times as fast"
    else:
        verdict = f"the data is the limit: it takes {int(workers) + 1} workers to keep up"
    print(f"stage {trial.name!r} trains {network:,.0f} images/s on this machine: {verdict}")


if __name__ == "__main__":
    main()
