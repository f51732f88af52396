"""Inception-v3 with the weights of the FID (Heusel et al. 2017), read from a file."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor

from imagen_lit.features import batches, weights_file
from imagen_lit.features.inception_network import InceptionV3
from imagen_lit.features.weights_extractor import WeightsExtractor

# Of pt_inception-2015-12-05-6726825d.pth, which pytorch-fid and torch-fidelity share.
KNOWN = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
SIZE = 299
SOURCE = (
    "Fetch pt_inception-2015-12-05-6726825d.pth from the release fid_weights of "
    "mseitzer/pytorch-fid, and set features.path=... to it."
)


class Inception(WeightsExtractor):
    """pool3 of Inception-v3. `resize` names one of `features/resize.py`: tf1_bilinear is the FID's
    own, pil_bicubic_antialias that of clean-fid; their numbers are not comparable."""

    width = 2048

    def __init__(
        self,
        path: str,
        sha256: str = KNOWN,
        resize: str = "tf1_bilinear",
        batch: int = 8,
        device: str = "auto",
        make_command: str | None = None,
    ) -> None:
        super().__init__(path, sha256, resize, batch, device, make_command)

    @cached_property
    def network(self) -> InceptionV3:
        """Loaded once."""
        network = InceptionV3()
        source = f"{SOURCE} Or type {self.make_command}." if self.make_command else SOURCE
        state = weights_file.read("Inception-v3", self.path, self.sha256, source)
        weights_file.fill(network, state, ignore=("fc.", "AuxLogits."))
        return network.float().eval().requires_grad_(False).to(self.device)

    def facts(self) -> Mapping[str, Any]:
        """What decides its vectors; the weights by the sha256 that they have to have."""
        return {
            "extractor": "inception_v3_fid",
            "layer": "pool3",
            "weights_sha256": self.sha256,
            "resize": self.resize.facts(SIZE),
            "normalisation": "(x - 128) / 128",
        }

    def features(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """float32 [B, 2048]."""
        return batches.vectors(
            images, self._prepare, self.network, self.device, self.batch, self.width
        )

    def _prepare(self, image: np.ndarray) -> Tensor:
        return (self.resize.apply(image, SIZE) - 128) / 128
