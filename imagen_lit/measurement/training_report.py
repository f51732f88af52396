"""What `bench` measures of a stage's training and drawing, as a table and as JSON."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from imagen_lit.basics.short_form import quantity

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class TrainingReport:
    """Seconds of `parts` are of a micro-batch (data, noise, forward, backward) and of an update
    (optimizer, ema); `drawing` has the steps per second by the images of a batch. None, and what is
    missing: not measured, for the reason in `reasons`."""

    stage: str
    parameters: int
    device: str
    ranks: int
    threads: int
    precision: str
    attention: str | None
    compile: str | None
    batch_size: int  # of an update, over all ranks
    micro_batch_size: int  # of a rank
    images_per_second: float  # of all ranks, data included
    flops: int  # of an image, forward and backward
    matrix_peak: float  # of one device, in FLOP/s
    memory_gib: float
    memory_of: str  # the process, or the device
    parts: dict[str, float] = field(default_factory=dict)
    randn: float | None = None  # seconds of torch.randn in the shape of the noise
    drawing: dict[int, float | None] = field(default_factory=dict)
    host_reads: int | None = None  # of the micro-batch that ends an update
    launches: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    measured_at: str = ""
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def share_of_peak(self) -> float:
        """What the training makes of the devices' matrix products."""
        return self.images_per_second * self.flops / (self.matrix_peak * self.ranks)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self) | {"share_of_peak": self.share_of_peak}

    def lines(self) -> Iterator[str]:
        """For a person."""
        for name, words in self._rows():
            yield f"{name:18} {words}"

    def _rows(self) -> Iterator[tuple[str, str]]:
        yield "stage", f"{self.stage}, {self.parameters / 1e6:.2f} million parameters"
        ranks = "" if self.ranks == 1 else f"{self.ranks} ranks, each on "
        threads = f", {quantity(self.threads, 'thread')}"
        yield "device", f"{ranks}{self.device}{'' if 'thread' in self.device else threads}"
        micro = self.micro_batch_size * self.ranks
        pieces = f" in micro-batches of {self.micro_batch_size}" if micro < self.batch_size else ""
        yield "precision", f"{self.precision}, batch {self.batch_size}{pieces}"
        yield "attention", self.attention or self._missing("parts")
        yield "compiler", self.compile or "none"
        yield "speed", f"{self.images_per_second:.1f} images/s, data included"
        yield "work", f"{self.flops / 1e9:.3f} GFLOP per image (forward and backward)"
        each = "" if self.ranks == 1 else " on each rank"
        yield "matrix peak", f"{self.matrix_peak / 1e9:.0f} GFLOP/s, measured now{each}"
        rate = self.images_per_second * self.flops / 1e9
        yield "share of the peak", f"{self.share_of_peak:.1%} ({rate:,.0f} GFLOP/s)"
        yield "memory", f"{self.memory_gib:.2f} GiB at most, of the {self.memory_of}"
        yield from self._part_rows()
        yield "drawing", ", ".join(map(self._drawn, self.drawing)) or self._missing("drawing")
        yield "reads by the host", self._count(self.host_reads)
        yield "kernel launches", self._count(self.launches)

    def _part_rows(self) -> Iterator[tuple[str, str]]:
        images = quantity(self.micro_batch_size, "image")
        words = {
            "data": f"waited for, of each micro-batch of {images}",
            "forward": "of it, on data in memory, with the noise",
            "backward": "",
            "optimizer": "of an update",
            "ema": "",
            "noise": self._noise(),
        }
        for part, note in words.items():
            if part in self.parts:
                yield f"  {part}", f"{_milliseconds(self.parts[part]):>12}  {note}".rstrip()
        if "forward" not in self.parts:
            yield "  parts", self._missing("parts")

    def _noise(self) -> str:
        if self.randn is None or "noise" not in self.parts:
            return ""
        ratio = self.randn / self.parts["noise"]
        return f"of the batch's shape; {ratio:.2f} times as fast as torch.randn"

    def _drawn(self, images: int) -> str:
        rate = self.drawing[images]
        words = f"{rate:.3g} steps/s" if rate is not None else f"{NOT_MEASURED}, too slow"
        return f"{words} of {quantity(images, 'image')}"

    def _count(self, number: int | None) -> str:
        if number is not None:
            return f"{number:,} in an update's last micro-batch"
        return f"{NOT_MEASURED}; only CUDA counts them"

    def _missing(self, what: str) -> str:
        return f"{NOT_MEASURED}: {self.reasons.get(what, 'unknown')}"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:,.2f} ms"
