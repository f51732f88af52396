"""The device that a command computes on, by name: `auto` is the accelerator if this machine has
one, or else the CPU."""

import torch

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError


def choose(name: str) -> torch.device:
    """The device of this name; one that this machine lacks is refused."""
    here = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if name == "auto":
        return torch.device("cpu") if here is None else here
    kind, _, index = str(name).partition(":")
    count = 0 if here is None else torch.accelerator.device_count()
    exists = here is not None and kind == here.type and (not index or index in _numbers(count))
    if name != "cpu" and not exists:
        own = [] if here is None else [here.type, *(f"{here.type}:{n}" for n in _numbers(count))]
        raise InputError(
            f"device={name} is not a device that torch finds here. Allowed are "
            f"{', '.join(['auto', 'cpu', *own])}. Set device=auto, for example."
        )
    return torch.device(name)


def allow_tf32(allowed: bool) -> None:
    """Whether NVIDIA's GPUs may multiply float32 in TF32: faster, but with three digits. Torch by
    itself allows it in convolutions, and not in products of matrices."""
    allowed = arguments.switch("tf32", allowed)
    torch.set_float32_matmul_precision("high" if allowed else "highest")
    torch.backends.cudnn.allow_tf32 = allowed


def count() -> int:
    """How many accelerators this machine has."""
    return torch.accelerator.device_count() if torch.accelerator.is_available() else 0


def _numbers(count: int) -> list[str]:
    return [str(number) for number in range(count)]
