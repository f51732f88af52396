"""What a training run will take, known before it begins: work, memory, disk, hours.

Work and memory are counted on the meta device (run/meta_device.py), in float32. Only the disk space
of a text cache that does not exist yet is estimated, and the text says so. Hours are known once
`python -m imagen_lit.bench … save=true` has measured the speed on that device.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagen_lit.basics import arguments, json_file
from imagen_lit.basics.short_form import quantity
from imagen_lit.data import sidecar
from imagen_lit.data.shard_files import collection
from imagen_lit.run import meta_device
from imagen_lit.run.meta_device import TOKENS
from imagen_lit.stage.training import Stage

PROBE = "probe.json"  # in the run folder: what bench measured; read: device, ranks, speed, flops
UNITS = ("", "k", "M", "G", "T", "P", "E", "Z", "Y")


@dataclass(frozen=True)
class Devices:
    """How a training run is spread over `count` devices: each takes `micro_batch_size` images at a
    time and holds all weights, gradients and optimiser state or, if `sharded`, a part of them.

    `peak`: the most bytes of gradients and activations at any time, in float32, with all weights.
    `smaller`: (images, their peak) of a smaller micro-batch, as an example.
    """

    count: int
    sharded: bool
    micro_batch_size: int
    peak: int
    smaller: tuple[int, int] | None = None


@dataclass(frozen=True)
class Work:
    """Of one stage."""

    parameters: int
    flops: int  # of one image, forward and backward
    images: int
    batch_size: int

    @property
    def updates(self) -> int:
        """Optimiser steps."""
        return -(-self.images // self.batch_size)

    @property
    def extent(self) -> str:
        """How many images in how many updates, in words."""
        updates = quantity(self.updates, "update")
        return f"{quantity(self.images, 'image')} in {updates} of {self.batch_size:,}"

    def brief(self) -> str:
        """One line."""
        return (
            f"{self.parameters / 1e6:,.2f} million parameters, {_flop(self.flops)} per image, "
            f"forward and backward; {self.extent}"
        )


@dataclass(frozen=True)
class Estimate(Work):
    """The work, and the bytes of one device that holds all of it."""

    weights: int  # the EMA's and the gradients' are as many
    optimizer: int

    def memory(self, peak: int, devices: Devices) -> int:
        """Bytes on each device. Gradients are sharded, activations are not."""
        gradients = min(self.weights, peak)
        state = 2 * self.weights + self.optimizer + gradients
        return state // (devices.count if devices.sharded else 1) + peak - gradients

    def lines(
        self,
        width: int,
        probe: dict[str, Any] | None,
        captions: int | None,
        devices: Devices,
    ) -> list[str]:
        """One screen, for a run that asks for a GPU; `width` is the text encoder's."""
        parts = {"weights": self.weights, "gradients": self.weights, "EMA": self.weights}
        state = ", ".join(f"{name} {_gib(size)}" for name, size in parts.items())
        return [
            f"network   {self.parameters:,} parameters",
            f"work      {_flop(self.flops)} per image, forward and backward",
            f"training  {self.extent}: {_flop(self.flops * self.images)}",
            f"memory    {_gib(self.memory(devices.peak, devices))} on {_each_device(devices)} with "
            f"micro-batches of {devices.micro_batch_size:,}, in float32 (bf16 takes less)",
            f"          {_always(devices)} {_gib(3 * self.weights + self.optimizer)}: {state}, "
            f"optimiser {_gib(self.optimizer)}",
            *self._smaller(devices),
            f"hours     {self._hours(probe, devices)}",
            f"cache     {_disk(width, captions)}; half that in int8; embed_text dry_run=true "
            "counts your own",
        ]

    def _hours(self, probe: dict[str, Any] | None, devices: Devices) -> str:
        if probe is None or probe.get("flops") != self.flops:
            other = " (the probe was of another network or size)" if probe is not None else ""
            less = f" data.micro_batch_size={devices.smaller[0]}" if devices.smaller else ""
            return (
                f"unknown before a probe{other}: run python -m imagen_lit.bench with the same "
                f"arguments and save=true{less}, on that device"
            )
        rate = probe["images_per_second"] / probe.get("ranks", 1)
        return (
            f"{self.images / rate / 3600:,.1f} on one {probe['device']} at the {rate:,.1f} "
            "images/s that bench measured; n devices share them"
        )

    def _smaller(self, devices: Devices) -> list[str]:
        if devices.smaller is None:
            return []
        images, peak = devices.smaller
        return [
            f"          {_gib(self.memory(peak, devices))} with data.micro_batch_size={images}, "
            "the same training; less still with network.checkpointing=true; trainer=fsdp shards "
            "the weights"
        ]


def work(stage: Stage, batch_size: int, edge: int, text_width: int) -> Work:
    """`stage` is on the meta device; `edge` is that of the images it is trained on."""
    arguments.whole_number("data.batch_size", batch_size, 1)
    return Work(
        parameters=sum(p.numel() for p in stage.denoiser.network.parameters()),
        flops=meta_device.count_flops(stage, edge, text_width),
        images=stage.images,
        batch_size=batch_size,
    )


def estimate(stage: Stage, batch_size: int, edge: int, text_width: int) -> Estimate:
    """The same with the bytes, which take as long to count again."""
    return Estimate(
        **vars(work(stage, batch_size, edge, text_width)),
        weights=sum(p.nbytes for p in stage.denoiser.network.parameters()),
        optimizer=meta_device.optimizer_bytes(stage),
    )


def read_probe(folder: Path) -> dict[str, Any] | None:
    """What bench saved in a run's folder; None if nothing."""
    file = folder / PROBE
    return json_file.read(file, "Remove it.") if file.is_file() else None


def count_captions(shards: str | None) -> int | None:
    """How many captions a folder with a manifest holds; None without a manifest."""
    manifest = None if shards is None else collection.read_manifest(Path(shards))
    counts: list[Any] = [None]
    if manifest:
        counts = [entry.get("samples") for entry in manifest["shards"].values()]
    return None if None in counts else sum(counts)


def _always(devices: Devices) -> str:
    """Where what does not depend on the images is."""
    if devices.sharded and devices.count > 1:
        return "always, on all devices together,"
    return "of which always"


def _each_device(devices: Devices) -> str:
    if devices.count == 1:
        return "one device"
    share = "a share of the weights" if devices.sharded else "all weights"
    return f"each of {devices.count} devices ({share} on each)"


def _disk(width: int, captions: int | None) -> str:
    row = sidecar.row_bytes(TOKENS, width, "bfloat16")
    total = f", {row * captions / 1e9:,.1f} GB for {captions:,}" if captions is not None else ""
    return f"{row / 1e3:,.1f} kB per caption of {TOKENS} tokens in bf16{total}"


def _flop(count: float) -> str:
    digits, _, power = f"{count:.2e}".partition("e")
    thousands = max(0, int(power) // 3)
    return f"{float(digits) * 10 ** (int(power) - 3 * thousands):g} {UNITS[thousands]}FLOP"


def _gib(count: float) -> str:
    return f"{count / 2**30:,.2f} GiB"
