"""A network together with the meaning of its output.

`Denoiser(network, schedule, prediction)` is called as `(z, t, condition)` and returns the clean
estimate. `bind(condition)` gives the plain `(z, t)` function that samplers need. It reads the text
once, when it is first called, so its weights may not change between its calls.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from imagen_lit.diffusion.prediction import EpsilonWithVariance, Prediction
from imagen_lit.diffusion.schedule import Schedule
from imagen_lit.stage import compilation
from imagen_lit.stage.condition import Condition
from imagen_lit.stage.null_text import MaskedZeros

Denoise = Callable[[Tensor, Tensor], Tensor]


class Denoiser(nn.Module):
    """(z, t, condition) -> clean estimate. Its `null_text` is its condition's
    (imagen_lit/stage/training.py). `adapters` freeze the network and add what is trained instead
    (imagen_lit/network/adapters.py)."""

    def __init__(
        self,
        network: nn.Module,
        schedule: Schedule,
        prediction: Prediction,
        adapters: Callable[[nn.Module], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        network = network if adapters is None else adapters(network)
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.schedule, self.prediction = schedule, prediction
        self.null_text: nn.Module = MaskedZeros()
        self.gamma: Tensor | None = None  # of its last estimate, where its network says it

    @property
    def frozen_names(self) -> list[str]:
        """The weights that training does not change; none without adapters."""
        return [name for name, each in self.named_parameters() if not each.requires_grad]

    def read(self, condition: Condition) -> Any:
        """What the network makes of the text alone, for `predict`; only the network knows it."""
        return self.network.read(*self.null_text(condition.text, condition.mask))

    def predict(
        self, z: Tensor, logsnr: Tensor, condition: Condition, reading: Any = None
    ) -> Tensor:
        """The network's raw output, in its own space."""
        text, mask = condition.text, condition.mask
        if reading is None:
            text, mask = self.null_text(text, mask)
        inputs = (
            z.contiguous(memory_format=torch.channels_last),
            logsnr,
            text,
            mask,
            condition.lowres,
            condition.lowres_logsnr,
            reading,
        )
        output: Tensor = self.network(*inputs)
        return output

    def compile_blocks(self, backend: str) -> None:
        """Use torch.compile for the network's blocks, in place."""
        compilation.compile_blocks(self.network, backend)

    def forward(self, z: Tensor, t: Tensor, condition: Condition, reading: Any = None) -> Tensor:
        """The clean estimate."""
        logsnr = self.schedule(t.to(z.device, non_blocking=True))
        output = self.predict(z, logsnr, condition, reading).to(z.dtype)
        if isinstance(self.prediction, EpsilonWithVariance):
            self.gamma = self.prediction.gamma(output).detach()
        return self.prediction.to_clean(output, z, logsnr)

    def bind(self, condition: Condition) -> Denoise:
        """(z, t) -> clean estimate."""
        reading = cache(lambda: self.read(condition))
        return lambda z, t: self(z, t, condition, reading())
