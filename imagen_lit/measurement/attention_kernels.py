"""How a network's attention is computed here, seen from the operations that a pass calls: torch and
the network choose by shape and device, so no setting can tell."""

import re
from collections import Counter
from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

PLAIN = ("_softmax", "_safe_softmax")  # between two plain products


class _Watch(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.kernels = Counter[str]()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        name = func.name().removeprefix("aten::").partition(".")[0]
        if fused := re.fullmatch(r"_scaled_dot_product_(\w+)", name):
            self.kernels[fused[1].replace("_attention", "").replace("_for_cpu", "")] += 1
        elif name in PLAIN:
            self.kernels["plain products"] += 1
        return func(*args, **(kwargs or {}))


def attention_kernels(forward: Callable[[], Any]) -> str:
    """`8 plain products`, `7 flash, 1 plain products`, or `none`, of one forward pass."""
    with _Watch() as watch:
        forward()
    return ", ".join(f"{count} {kind}" for kind, count in watch.kernels.most_common()) or "none"
