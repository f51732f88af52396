"""A stand-in accelerator: tensors that are on the device `lab`, and are computed by the CPU.

An operation that mixes devices raises, as on a GPU. Each read by the host (`.item()`, `.tolist()`,
a comparison in an `if`, a copy to the CPU) is recorded with the line that caused it; so is each
copy to the device for which the host waits until the device has done all before it, because it is
not `non_blocking`. So what holds of placement and of reads on an accelerator can be tested on any
machine.

To import this module gives the process an accelerator for good, so tests run it in processes of its
own: `run("sample", ...)` of tests/helpers/on_stand_in.py.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from lightning.pytorch.accelerators import Accelerator, AcceleratorRegistry
from lightning.pytorch.strategies import SingleDeviceStrategy, StrategyRegistry
from lightning.pytorch.trainer.connectors.accelerator_connector import _AcceleratorConnector
from torch import Tensor
from torch.utils import backend_registration
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map

NAME = "lab"
aten = torch.ops.aten
COPIES = (aten._to_copy.default, aten.copy_.default)
SHAPED_BY_VALUES = (aten.nonzero.default, aten.masked_select.default, aten.unique_dim.default,
                    aten._unique2.default, aten.repeat_interleave.Tensor, aten.equal.default,
                    aten.bincount.default)  # fmt: skip

reads: list[str] = []  # where the host has read


class Lab(Tensor):
    """A tensor on the stand-in; `inner` holds its numbers."""

    inner: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls: type["Lab"], inner: Tensor) -> "Lab":
        self = Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=torch.device(NAME, 0),
            requires_grad=inner.requires_grad,
        )
        self.inner = inner
        return self

    def __repr__(self) -> str:
        return f"Lab({self.inner!r})"

    def tolist(self) -> Any:
        """A read, which torch has for no class of its own."""
        reads.append(_place())
        return self.inner.tolist()

    def numpy(self, *, force: bool = False) -> Any:
        """Refused, as by every accelerator."""
        raise TypeError(f"can't convert a tensor on {NAME} to numpy: copy it to the CPU first")

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _OnDevice(TorchDispatchMode):
    """Sends operations to the stand-in that get no tensor of it, such as `torch.zeros`."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


@contextmanager
def accelerator() -> Iterator[list[str]]:
    """The stand-in is this machine's accelerator; yields the places of reads by the host."""
    reads.clear()
    choice = mock.patch.object(_AcceleratorConnector, "_choose_strategy", _choose_strategy)
    with _OnDevice(), mock.patch("torch.accelerator.synchronize", _synchronize), choice:
        yield reads


def _choose_strategy(trainer: Any, usual: Any = _AcceleratorConnector._choose_strategy) -> Any:
    """Lightning places what is on no accelerator of its own on the CPU."""
    return NAME if trainer._accelerator_flag == NAME else usual(trainer)


def _synchronize(device: Any = None) -> None:
    """Waiting for the device is like a read of it."""
    reads.append(_place())


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [each for each in tree_iter((args, kwargs)) if isinstance(each, Tensor)]
    on_lab = [each for each in tensors if isinstance(each, Lab)]
    elsewhere = [each for each in tensors if not isinstance(each, Lab) and each.dim() > 0]
    if on_lab and elsewhere and func not in COPIES:
        raise RuntimeError(f"{func}: tensors on {NAME} and on the CPU are mixed")
    target = kwargs.get("device")
    if (on_lab and _is_read(func, args)) or _waits(func, args, kwargs):
        reads.append(_place())
    if _is_lab(target):
        kwargs = {**kwargs, "device": torch.device("cpu")}
    if on_lab or _is_lab(target):
        kwargs = {key: value for key, value in kwargs.items() if key != "pin_memory"}
    out = func(*tree_map(_inner, args), **tree_map(_inner, kwargs))
    if func is aten._to_copy.default and on_lab and target is not None and not _is_lab(target):
        reads.append(_place())
        return out
    if not on_lab and not _is_lab(target):
        return out
    if func is aten.copy_.default or _writes_into_first(func, args):
        return args[0]
    return tree_map(lambda each: Lab(each) if type(each) is Tensor else each, out)


def _is_read(func: Any, args: Any) -> bool:
    """A number for the host, a copy into a tensor of its, or a shape that depends on values."""
    if func is aten.copy_.default:
        return not isinstance(args[0], Lab)
    by_mask = func in (aten.index.Tensor, aten.index_put_.default) and any(
        isinstance(each, Tensor) and each.dtype == torch.bool for each in args[1]
    )
    return func is aten._local_scalar_dense.default or func in SHAPED_BY_VALUES or by_mask


def _waits(func: Any, args: Any, kwargs: dict[str, Any]) -> bool:
    """A copy from the host, after which the host waits for the device."""
    if func is aten._to_copy.default:
        is_upload = not isinstance(args[0], Lab) and _is_lab(kwargs.get("device"))
        return is_upload and not kwargs.get("non_blocking", False)
    if func is aten.copy_.default:
        is_upload = isinstance(args[0], Lab) and not isinstance(args[1], Lab)
        return is_upload and not (len(args) > 2 and args[2])
    return False


def _writes_into_first(func: Any, args: Any) -> bool:
    returns = func._schema.returns
    alias = returns[0].alias_info if returns else None
    return alias is not None and alias.is_write and bool(args) and isinstance(args[0], Lab)


def _is_lab(device: Any) -> bool:
    return device is not None and torch.device(device).type == NAME


def _inner(value: Any) -> Any:
    return value.inner if isinstance(value, Lab) else value


def _place() -> str:
    """The innermost line of imagen_lit; where a library read by itself, that line too."""
    frames = [f for f in traceback.extract_stack() if "helpers/stand_in" not in f.filename]
    ours = [number for number, f in enumerate(frames) if "/imagen_lit/" in f.filename]
    others = [f for f in frames[ours[-1] + 1 if ours else 0 :] if "/_" not in f.filename]
    shown = [frames[ours[-1]]] if ours else []
    return " > ".join(f"{_short(f.filename)}:{f.lineno} {f.line}" for f in shown + others[-1:])


def _short(file: str) -> str:
    return "/".join(file.split("/")[-2:])


class LabAccelerator(Accelerator):
    """How Lightning finds the stand-in: `Trainer(accelerator="lab")`."""

    def setup_device(self, device: torch.device) -> None:
        """Nothing to set up."""

    def teardown(self) -> None:
        """Nothing to give back."""

    @staticmethod
    def parse_devices(devices: Any) -> Any:
        return devices

    @staticmethod
    def get_parallel_devices(devices: Any) -> list[torch.device]:
        return [torch.device(NAME, 0)]

    @staticmethod
    def auto_device_count() -> int:
        return 1

    @staticmethod
    def is_available() -> bool:
        return True

    @staticmethod
    def name() -> str:
        return NAME

    def get_device_stats(self, device: Any) -> dict[str, Any]:
        return {}


def _empty(size: Any, stride: Any, **options: Any) -> Lab:
    """For `torch.tensor(..., device="lab")`, which asks no mode."""
    return Lab(torch.empty_strided(size, stride, dtype=options.get("dtype")))


def _copy(source: Tensor, target: Tensor, non_blocking: bool = False) -> Tensor:
    if isinstance(target, Lab) and not non_blocking:
        reads.append(_place())
    _inner(target).copy_(_inner(source))
    return target


class _Backend(backend_registration._DummyBackendModule):
    """`torch.lab`, of which torch asks what autocast may use."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


backend_registration._setup_privateuseone_for_python_backend(NAME, _Backend())
AcceleratorRegistry.register(NAME, LabAccelerator)
StrategyRegistry.register(NAME, SingleDeviceStrategy, device=f"{NAME}:0")
LIBRARY = torch.library.Library("aten", "IMPL")
LIBRARY.impl("empty_strided", _empty, "PrivateUse1")
LIBRARY.impl("_copy_from", _copy, "PrivateUse1")
# Under autocast its operations are those without it: it has no kernels of its own to choose from.
FALLBACK = torch.library.Library("_", "IMPL")
FALLBACK.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
