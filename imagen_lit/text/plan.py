"""What a text cache will cost, said before it is made: disk, hours, and whether it pays.

The encoder is tried on some captions of the collection for a few seconds, here. Disk follows from
the tokens counted. Hours on another device follow from its peak, at the share of the peak that was
reached here: a measurement scaled, and said so. Without weights disk is all that can be said, and
without a tokenizer only between which bounds it lies.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from imagen_lit.data import sidecar
from imagen_lit.text.cache import batches
from imagen_lit.text.encoder import HuggingFace


@dataclass(frozen=True)
class Disk:
    captions: int
    tokens: float  # a caption
    width: int
    stored: str

    @property
    def bytes_each(self) -> float:
        return sidecar.row_bytes(self.tokens, self.width, self.stored)

    @property
    def size(self) -> str:
        return _size(self.bytes_each * self.captions)

    def told(self, name: str) -> Iterator[str]:
        yield f"{name}, {self.captions:,} captions of {self.tokens:.1f} tokens on average"
        yield f"disk     {_size(self.bytes_each)} a caption in {self.stored}, {self.size} in all"


@dataclass(frozen=True)
class Plan(Disk):
    distinct: float  # share of the captions tried that differ
    parameters: int  # that multiply, so without the table of words
    rate: float  # distinct captions a second, here
    share: float  # of this device's peak, that the encoder reached

    @property
    def flops_each(self) -> float:
        return 2 * self.parameters * self.tokens

    def hours(self, peak: float) -> float:
        """For all captions, on a device of this peak, at the share reached here."""
        return self.captions * self.distinct * self.flops_each / (peak * self.share) / 3600

    def lines(self, name: str, gpu: str, peak: float, train_gflops: float) -> Iterator[str]:
        yield from self.told(name)
        here = self.captions * self.distinct / self.rate / 3600
        yield (
            f"here     {self.rate:,.1f} captions/s measured, {self.share:.0%} of this device's "
            f"matrix peak: {here:,.2f} hours for all"
        )
        yield (
            f"{gpu:8} {self.hours(peak):,.2f} hours for all, if it reaches the same share of its "
            f"{peak / 1e12:,.0f} TFLOP/s"
        )
        extra = self.flops_each / (train_gflops * 1e9)
        yield (
            f"fly      encoding while training would add {extra:.1%} to the work of a stage that "
            f"takes {train_gflops:,.0f} GFLOP an image (train_gflops=...)"
        )
        yield (
            "verdict  encode on the fly: it costs less than a twentieth of training"
            if extra < 0.05
            else "verdict  cache: encoding would be a noticeable part of every pass over the data"
        )


def without_weights(
    encoder: HuggingFace, captions: list[str], count: int, stored: str
) -> Iterator[str]:
    """Disk by the encoder's own tokenizer where it is there; or else from the words."""

    def disk(tokens: float) -> Disk:
        return Disk(count, tokens, encoder.width, stored)

    if not encoder.lacks(weights=False):
        lengths = encoder.lengths(captions)
        yield from disk(sum(lengths) / len(lengths)).told(encoder.name)
        return
    # A word is one token or more, and there is one for the end.
    tokens = [min(len(caption.split()) + 1, encoder.max_length) for caption in captions]
    least, most = disk(sum(tokens) / len(tokens)), disk(encoder.max_length)
    yield f"{encoder.name}, {count:,} captions of {least.tokens - 1:.1f} words on average"
    yield (
        f"disk     at least {least.size} in {stored}, were each word one token, and at most "
        f"{most.size}, at max_length={encoder.max_length}: there is no tokenizer to count them"
    )


def probe(
    encoder: HuggingFace, captions: list[str], count: int, stored: str, peak: float, seconds: float
) -> Plan:
    """Encode some captions of `count` for a while, and plan for all; `peak` is this device's."""
    lengths = encoder.lengths(captions)
    queue = list(batches(captions, encoder.lengths, 2_048))
    length = dict(zip(captions, lengths, strict=True))
    encoder.encode(queue[len(queue) // 2])  # load, warm up
    # From the middle outwards: neither the longest captions first, nor the shortest.
    order = sorted(range(len(queue)), key=lambda i: abs(i - len(queue) // 2))
    start, done, tokens = time.perf_counter(), 0, 0
    for i in order:
        encoder.encode(queue[i])
        done += len(queue[i])
        tokens += sum(length[caption] for caption in queue[i])
        if time.perf_counter() - start > seconds:
            break
    spent = time.perf_counter() - start
    parameters = sum(p.numel() for name, p in encoder.model.named_parameters() if _multiplies(name))
    mean = sum(lengths) / len(lengths)
    return Plan(
        captions=count,
        distinct=len(length) / len(captions),
        tokens=mean,
        width=encoder.width,
        stored=stored,
        parameters=parameters,
        rate=tokens / spent / mean,
        share=2 * parameters * tokens / spent / peak,
    )


def _multiplies(name: str) -> bool:
    """Tables of words and of positions are looked up, not multiplied."""
    return "shared" not in name and "embed" not in name


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:,.1f} {unit}"
        count /= 1000
    return f"{count:,.2f} TB"
