"""What a text cache will cost, estimated before it is made: disk, hours, and whether it pays off.

The encoder is tried on some captions of the collection for a few seconds, on this machine. Disk
follows from the number of tokens. Hours on another device follow from that device's peak, at the
share of the peak that was reached here: a scaled measurement, and reported as such. Without weights
only disk can be estimated, and without a tokenizer only bounds on it.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from imagen_lit.data import sidecar
from imagen_lit.text.cache import batches
from imagen_lit.text.text_encoder import TextEncoder


@dataclass(frozen=True)
class Disk:
    """The size of a cache."""

    captions: int
    tokens: float  # per caption
    width: int
    storage: str

    @property
    def bytes_per_caption(self) -> float:
        """Bytes of embeddings, scales and offset."""
        return sidecar.row_bytes(self.tokens, self.width, self.storage)

    @property
    def size(self) -> str:
        """The size of the whole cache, with its unit."""
        return _size(self.bytes_per_caption * self.captions)

    def lines(self, name: str) -> Iterator[str]:
        """Captions and disk, in words."""
        yield f"{name}, {self.captions:,} captions of {self.tokens:.1f} tokens on average"
        each = _size(self.bytes_per_caption)
        yield f"disk     {each} a caption in {self.storage}, {self.size} in all"


@dataclass(frozen=True)
class CacheCost(Disk):
    """The size of a cache and the time to make it."""

    distinct: float  # share of the sampled captions that are distinct
    parameters: int  # of matrix products, so without the token embeddings
    rate: float  # distinct captions per second, here
    share: float  # share of this device's peak that the encoder reached

    @property
    def flops_per_caption(self) -> float:
        """Two per parameter and token: a multiplication and an addition."""
        return 2 * self.parameters * self.tokens

    def hours(self, peak: float) -> float:
        """Hours for all captions, on a device of this peak, at the share reached here."""
        if not self.parameters:  # no products for it to be faster at
            return self.captions * self.distinct / self.rate / 3600
        flops = self.captions * self.distinct * self.flops_per_caption
        return flops / (peak * self.share) / 3600

    def report(self, name: str, gpu: str, peak: float, train_gflops: float) -> Iterator[str]:
        """Disk, hours here and on another device, and whether the cache pays off, in words."""
        yield from self.lines(name)
        hours = self.captions * self.distinct / self.rate / 3600
        yield (
            f"here     {self.rate:,.1f} captions/s measured, {self.share:.0%} of this device's "
            f"matrix peak: {hours:,.2f} hours for all"
        )
        yield (
            f"{gpu:8} {self.hours(peak):,.2f} hours for all, if it reaches the same share of its "
            f"{peak / 1e12:,.0f} TFLOP/s"
        )
        extra = self.flops_per_caption / (train_gflops * 1e9)
        yield (
            f"no cache encoding during training would add {extra:.1%} to the work of a stage that "
            f"takes {train_gflops:,.0f} GFLOP an image (train_gflops=...)"
        )
        yield (
            "verdict  the cache saves less than a twentieth of each pass over the data"
            if extra < 0.05
            else "verdict  the cache pays: encoding would be a noticeable part of every pass"
        )


def without_weights(
    encoder: TextEncoder, captions: list[str], count: int, storage: str
) -> Iterator[str]:
    """Disk, from the encoder's tokenizer if it is there; otherwise bounds, from the word count."""

    def disk(tokens: float) -> Disk:
        return Disk(count, tokens, encoder.width, storage)

    if not encoder.missing_files(weights=False):
        lengths = encoder.lengths(captions)
        yield from disk(sum(lengths) / len(lengths)).lines(encoder.name)
        return
    # A word is one token or more, and the end token is one.
    tokens = [min(len(caption.split()) + 1, encoder.max_length) for caption in captions]
    least, most = disk(sum(tokens) / len(tokens)), disk(encoder.max_length)
    yield f"{encoder.name}, {count:,} captions of {least.tokens - 1:.1f} words on average"
    yield (
        f"disk     at least {least.size} in {storage}, if each word is one token, and at most "
        f"{most.size}, at max_length={encoder.max_length}: there is no tokenizer to count them"
    )


def probe(
    encoder: TextEncoder, captions: list[str], count: int, storage: str, peak: float, seconds: float
) -> CacheCost:
    """Encode some captions of `count` for a while, and extrapolate; `peak` is this device's."""
    lengths = encoder.lengths(captions)
    queue = list(batches(captions, encoder.lengths, 2_048))
    length = dict(zip(captions, lengths, strict=True))
    encoder.encode(queue[len(queue) // 2])  # load, warm up
    # From the middle outwards: neither the longest captions first, nor the shortest.
    order = sorted(range(len(queue)), key=lambda i: abs(i - len(queue) // 2))
    start, tokens = time.perf_counter(), 0
    for i in order:
        encoder.encode(queue[i])
        tokens += sum(length[caption] for caption in queue[i])
        if time.perf_counter() - start > seconds:
            break
    duration = time.perf_counter() - start
    parameters = sum(p.numel() for name, p in encoder.model.named_parameters() if _is_matrix(name))
    mean = sum(lengths) / len(lengths)
    return CacheCost(
        captions=count,
        distinct=len(length) / len(captions),
        tokens=mean,
        width=encoder.width,
        storage=storage,
        parameters=parameters,
        rate=tokens / duration / mean,
        share=2 * parameters * tokens / duration / peak,
    )


def _is_matrix(name: str) -> bool:
    """Whether a parameter is a matrix factor; tables of tokens and positions are only looked up."""
    return "shared" not in name and "embed" not in name


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.2f} TB"
