"""A cascade of ours as a pipeline of diffusers: `from_pretrained` opens what `export
format=diffusers` wrote, `to` moves it, and a call gives an object with `images`.

The pictures are those of `Cascade`, which draws them; only this file imports diffusers.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline, ImagePipelineOutput, ModelMixin
from diffusers.configuration_utils import ConfigMixin

from imagen_lit.cascade.cascade import Cascade


class CascadeModel(ModelMixin, ConfigMixin):
    """The one component of the pipeline: all stages and the text encoder."""

    config_name = "cascade.json"

    def __init__(self, folder: str, device: str = "cpu") -> None:
        super().__init__()
        self.folder, self._device = folder, torch.device(device)
        self.cascade = Cascade.load(folder, device=device)

    @classmethod
    def from_pretrained(cls, folder: Any, **settings: Any) -> "CascadeModel":
        """What `export` wrote; diffusers' own settings of weights do not concern it."""
        return cls(str(folder))

    def save_pretrained(self, folder: Any, **settings: Any) -> None:
        """Refused: the folder can be copied."""
        raise NotImplementedError(f"copy the folder {Path(self.folder).parent} instead")

    def to(self, *target: Any, **settings: Any) -> "CascadeModel":
        """Draw on that device; dtypes are the recipes'."""
        device = settings.get("device") or next((t for t in target if _is_device(t)), None)
        if device is not None and torch.device(device) != self._device:
            self._device = torch.device(device)
            self.cascade = Cascade.load(self.folder, device=str(device))
        return self

    @property
    def device(self) -> torch.device:
        """Where it draws."""
        return self._device

    @property
    def dtype(self) -> torch.dtype:
        """Of its weights."""
        return torch.float32


class ImagenPipeline(DiffusionPipeline):
    """`pipeline("a red circle", seed=0).images[0]`."""

    def __init__(self, cascade: CascadeModel) -> None:
        super().__init__()
        self.register_modules(cascade=cascade)

    def __call__(
        self, prompt: str | Sequence[str], seed: int = 0, num_images_per_prompt: int = 1
    ) -> ImagePipelineOutput:
        """PIL images, in the order of the prompts; image i of a prompt has the seed + i."""
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        drawn = self.cascade.cascade(prompts, seed=seed, images=num_images_per_prompt)
        return ImagePipelineOutput(images=drawn)


def _is_device(target: Any) -> bool:
    return isinstance(target, str | torch.device)
