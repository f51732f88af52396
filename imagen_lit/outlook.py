"""What a training will take, said before it begins: work, memory, disk, hours.

Everything is counted on the meta device, where tensors have shapes and no contents: parameters,
FLOPs of one picture there and back, what an optimiser keeps, by letting it take one step, and what
is alive at once on the way there and back, in float32. Nothing is estimated but the disk of a cache
that is not there yet, and that is said. Hours are known once `python -m imagen_lit.bench …
keep=true` has measured the speed on the device in question.
"""

import json
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from imagen_lit.data import collection, sidecar
from imagen_lit.stage.training import Stage

PROBE = "probe.json"  # in the run folder: {device, images_per_second, batch_size, flops}
UNITS = ("", "k", "M", "G", "T", "P", "E", "Z", "Y")
TOKENS = 20  # of an ordinary caption, where nothing has been counted yet


@dataclass(frozen=True)
class Devices:
    """How a training is shared out: `at_once` pictures on each of `number` devices, and of weights
    and what goes with them all, or with `shared` a part each. `alive`: the most bytes of gradients
    and activations at any time, in float32, with all weights; `fewer`: for fewer pictures."""

    number: int
    shared: bool
    at_once: int
    alive: int
    fewer: tuple[int, int] | None = None  # pictures, bytes


@dataclass(frozen=True)
class Outlook:
    """Of one stage; bytes are those of one device that holds all of it."""

    parameters: int
    flops: int  # of one picture, forward and backward
    images: int
    batch_size: int
    weights: int  # bytes; the follower's and the gradients' are as many
    optimizer: int  # bytes

    def memory(self, alive: int, devices: Devices) -> int:
        """Bytes on each device. Of what is alive the gradients are shared out, activations not."""
        gradients = min(self.weights, alive)
        held = 2 * self.weights + self.optimizer + gradients
        return held // (devices.number if devices.shared else 1) + alive - gradients

    @property
    def updates(self) -> int:
        return -(-self.images // self.batch_size)

    def brief(self) -> str:
        return (
            f"{self.parameters / 1e6:,.2f} million parameters, {_flop(self.flops)} an image there "
            f"and back; {self.images:,} images in {self.updates:,} updates of {self.batch_size:,}"
        )

    def lines(
        self,
        width: int,
        probe: dict[str, Any] | None,
        captions: int | None,
        devices: Devices,
    ) -> list[str]:
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
            f"memory    {_gib(self.memory(devices.alive, devices))} on {_each(devices)} with "
            f"{devices.at_once:,} pictures at once, in float32 (bf16 takes less)",
            f"          of it {_gib(3 * self.weights + self.optimizer)} in all for {held}, "
            f"optimiser {_gib(self.optimizer)}",
            *self._fewer(devices),
            f"hours     {hours}",
            f"cache     {disk}; half of it in int8; embed_text plan=true counts your own",
        ]

    def _fewer(self, devices: Devices) -> list[str]:
        if devices.fewer is None:
            return []
        pictures, alive = devices.fewer
        size = _gib(self.memory(alive, devices))
        return [
            f"          {size} with data.at_once={pictures}, which learns the same; less still "
            "with network.checkpointing=true; trainer=fsdp shares weights out"
        ]


def foresee(stage: Stage, batch_size: int, edge: int, text_width: int) -> Outlook:
    """`stage` stands on the meta device; `edge` is that of the pictures it learns from."""
    if batch_size < 1:
        raise ValueError(f"found data.batch_size={batch_size}: expected one picture or more")
    network = stage.denoiser
    with FlopCounterMode(display=False) as counter:
        _there_and_back(stage, 1, edge, text_width)
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


def alive(stage: Stage, pictures: int, edge: int, text_width: int) -> int:
    """The most bytes at any time of what one pass there and back makes, gradients too."""
    stage.denoiser.zero_grad(set_to_none=True)
    with _Alive() as counted:
        _there_and_back(stage, pictures, edge, text_width)
    return counted.most


def _there_and_back(stage: Stage, pictures: int, edge: int, text_width: int) -> None:
    batch = {
        "image": torch.empty(pictures, 3, edge, edge, device="meta"),
        "text": torch.empty(pictures, TOKENS, text_width, device="meta"),
        "mask": torch.ones(pictures, TOKENS, dtype=torch.bool, device="meta"),
        "position": torch.zeros(pictures, dtype=torch.int64),
    }
    t = torch.full((pictures,), 0.5, device="meta")
    stage.loss(stage.denoiser, batch, t, 0).mean().backward()


def probe(folder: Path) -> dict[str, Any] | None:
    """What bench left in a run's folder, if it did."""
    file = folder / PROBE
    return json.loads(file.read_text()) if file.is_file() else None


def captions(shards: str | None) -> int | None:
    """How many there are in a folder whose makers counted them; None without such a folder."""
    manifest = None if shards is None else collection.read_manifest(Path(shards))
    counts: list[Any]
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


class _Alive(TorchDispatchMode):
    """Counts the bytes of every tensor that an operation makes, for as long as it lives."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.most = 0, 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        old = {_place(each) for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)}
        made = func(*args, **(kwargs or {}))
        for each in tree_leaves(made):
            if isinstance(each, Tensor) and (place := _place(each)) not in self._known | old:
                self._born(each.untyped_storage(), place)
        return made

    def _born(self, storage: torch.UntypedStorage, place: int) -> None:
        self._known.add(place)
        self.now += storage.nbytes()
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._gone, place, storage.nbytes())

    def _gone(self, place: int, size: int) -> None:
        self._known.discard(place)
        self.now -= size


def _place(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _each(devices: Devices) -> str:
    if devices.number == 1:
        return "one device"
    shares = "a share of the weights" if devices.shared else "all weights"
    return f"each of {devices.number} devices ({shares} on each)"


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
