"""What a training will take, said before it begins: work, memory, disk, hours.

Everything is counted on the meta device, where tensors have shapes and no contents: parameters,
FLOPs of one picture there and back, and what an optimiser keeps, by letting it take one step.
Nothing is estimated but the disk of a cache that is not there yet, and that is said. Hours are
known once `python -m imagen_lit.bench … keep=true` has measured the speed on the device in
question.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from imagen_lit.data import collection, sidecar
from imagen_lit.stage.training import Stage

PROBE = "probe.json"  # in the run folder: {device, images_per_second, batch_size, flops}
UNITS = ("", "k", "M", "G", "T", "P", "E", "Z", "Y")
TOKENS = 20  # of an ordinary caption, where nothing has been counted yet


@dataclass(frozen=True)
class Outlook:
    """Of one stage; bytes are those of one device that holds all of it."""

    parameters: int
    flops: int  # of one picture, forward and backward
    images: int
    batch_size: int
    weights: int  # bytes; the follower's and the gradients' are as many
    optimizer: int  # bytes

    @property
    def memory(self) -> int:
        return 3 * self.weights + self.optimizer

    @property
    def updates(self) -> int:
        return -(-self.images // self.batch_size)

    def brief(self) -> str:
        return (
            f"{self.parameters / 1e6:,.2f} million parameters, {_flop(self.flops)} an image there "
            f"and back; {self.images:,} images in {self.updates:,} updates of {self.batch_size:,}"
        )

    def lines(self, width: int, probe: dict[str, Any] | None, captions: int | None) -> list[str]:
        """One screen, for a training that asks for a GPU; `width` is the text encoder's."""
        parts = {"weights": self.weights, "gradients": self.weights, "follower": self.weights}
        held = ", ".join(f"{name} {_gib(size)}" for name, size in parts.items())
        if probe is None or probe.get("flops") != self.flops:
            other = " (what was probed is other work an image)" if probe is not None else ""
            hours = f"not known before it is probed{other}: python -m imagen_lit.bench with the "
            hours += "same words and keep=true data.at_once=32, there"
        else:
            rate = probe["images_per_second"]
            hours = f"{self.images / rate / 3600:,.1f} on one {probe['device']} at the "
            hours += f"{rate:,.1f} images/s that bench measured; n devices share them"
        each = sidecar.row_bytes(TOKENS, width, "bfloat16")
        disk = f"{each / 1e3:,.1f} kB a caption of {TOKENS} tokens in bf16"
        if captions is not None:
            disk += f", {each * captions / 1e9:,.1f} GB for {captions:,}"
        return [
            f"network   {self.parameters:,} parameters",
            f"work      {_flop(self.flops)} an image, forward and backward",
            f"training  {self.images:,} images in {self.updates:,} updates of {self.batch_size:,}: "
            f"{_flop(self.flops * self.images)}",
            f"memory    {_gib(self.memory)} on a device that holds all: {held}, "
            f"optimiser {_gib(self.optimizer)}",
            "          activations come on top, not counted (fewer: network.checkpointing=true)",
            f"hours     {hours}",
            f"cache     {disk}; half of it in int8; embed_text plan=true counts your own",
        ]


def foresee(stage: Stage, batch_size: int, edge: int, text_width: int) -> Outlook:
    """`stage` stands on the meta device; `edge` is that of the pictures it learns from."""
    network = stage.denoiser
    batch = {
        "image": torch.empty(1, 3, edge, edge, device="meta"),
        "text": torch.empty(1, TOKENS, text_width, device="meta"),
        "mask": torch.ones(1, TOKENS, dtype=torch.bool, device="meta"),
        "position": torch.zeros(1, dtype=torch.int64),
    }
    with FlopCounterMode(display=False) as counter:
        t = torch.full((1,), 0.5, device="meta")
        stage.loss(network, batch, t, 0).mean().backward()
    optimizer = stage.configure_optimizers()
    with _NothingToRead():
        optimizer.step()
    return Outlook(
        parameters=sum(p.numel() for p in network.parameters()),
        flops=counter.get_total_flops(),
        images=stage.images,
        batch_size=batch_size,
        weights=_bytes(network),
        optimizer=_kept(optimizer),
    )


def probe(folder: Path) -> dict[str, Any] | None:
    """What bench left in a run's folder, if it did."""
    file = folder / PROBE
    return json.loads(file.read_text()) if file.is_file() else None


def captions(shards: str | None) -> int | None:
    """How many there are in a folder whose makers counted them; None without such a folder."""
    manifest = None if shards is None else collection.read_manifest(Path(shards))
    counts = [each.get("samples") for each in manifest["shards"].values()] if manifest else [None]
    return None if None in counts else sum(counts)


class _NothingToRead(TorchDispatchMode):
    """Whoever reads a number out of a tensor without contents reads 1."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        if func is torch.ops.aten._local_scalar_dense.default and args[0].is_meta:
            return 1.0
        return func(*args, **(kwargs or {}))


def _bytes(module: nn.Module) -> int:
    return sum(p.nbytes for p in module.parameters())


def _kept(optimizer: Optimizer) -> int:
    def tensors(state: dict[str, Any]) -> Iterator[Tensor]:
        yield from (value for value in state.values() if isinstance(value, Tensor))

    return sum(t.nbytes for state in optimizer.state.values() for t in tensors(state))


def _flop(count: float) -> str:
    digits, _, power = f"{count:.2e}".partition("e")
    thousands = max(0, int(power) // 3)
    return f"{float(digits) * 10 ** (int(power) - 3 * thousands):g} {UNITS[thousands]}FLOP"


def _gib(count: float) -> str:
    return f"{count / 2**30:,.2f} GiB"
