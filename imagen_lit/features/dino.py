"""DINOv2 (Oquab et al. 2023) from a Hugging Face folder, its images prepared as one of the programs
that publish FD-DINOv2: they differ, and so do their numbers."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import Dinov2Model

from imagen_lit.basics.arguments import whole_number
from imagen_lit.basics.device import choose
from imagen_lit.basics.errors import InputError
from imagen_lit.features import batches
from imagen_lit.features.hugging_face import ModelFolder
from imagen_lit.features.resize import way_of

PREPARATIONS = {
    "edm2": "torch_bicubic_antialias",  # Karras et al. 2024
    "dgm_eval": "pil_bicubic_uint8",  # Stein et al. 2023
}
SIZE = 224
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class DINOv2:
    """The class token after the last layer norm. Position embeddings are brought to 224 pixels by
    transformers, whose last digits differ from those of the authors' own code."""

    def __init__(
        self,
        name: str,
        path: str,
        width: int,
        preparation: str = "edm2",
        batch: int = 32,
        device: str = "auto",
        make_command: str | None = None,
    ) -> None:
        if preparation not in PREPARATIONS:
            raise InputError(
                f"preparation={preparation} is none of {', '.join(PREPARATIONS)}. "
                "Set preparation=edm2, for example."
            )
        self.name, self.width, self.preparation = name, width, preparation
        self.folder = ModelFolder(name, path, make_command)
        self.resize = way_of(PREPARATIONS[preparation])
        self.batch = whole_number("batch", batch, 1)
        self.device = choose(device)

    @cached_property
    def model(self) -> Dinov2Model:
        """Loaded once."""
        model = self.folder.load(Dinov2Model, self.device)
        self.folder.require_width(self.width, model.config.hidden_size)
        return model

    def facts(self) -> Mapping[str, Any]:
        """What decides its vectors."""
        return {
            "extractor": self.name,
            "layer": "class token after the last layer norm",
            **self.folder.digests(),
            "preparation": self.preparation,
            "resize": self.resize.facts(SIZE),
            "normalisation": f"(x / 255 - {list(MEAN)}) / {list(STD)}",
        }

    def features(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """float32 [B, width]."""
        model = self.model

        def vectors(pixels: Tensor) -> Tensor:
            return model(pixel_values=pixels).pooler_output

        return batches.vectors(images, self._prepare, vectors, self.device, self.batch, self.width)

    def _prepare(self, image: np.ndarray) -> Tensor:
        mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in (MEAN, STD))
        return (self.resize.apply(image, SIZE) / 255 - mean) / std
