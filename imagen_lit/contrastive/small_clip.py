"""A small CLIP of our own, looking at images and texts for a metric: `TextExtractor`'s contract.

Its token states are of use too, as those of a text encoder are: `encode`. An encoder must not judge
what itself has conditioned; `fingerprint` tells one from another, and one that was pretrained from
another seed can judge.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from imagen_lit.basics import encoder_command, pixels
from imagen_lit.basics.device import choose
from imagen_lit.contrastive import encoder_files, recall_record
from imagen_lit.contrastive import tokenizer as tokens
from imagen_lit.contrastive.two_towers import TwoTowers
from imagen_lit.data import transform

BATCH = 64  # images or texts at a time


class SmallClip:
    """The encoder in the folder `path`, which `make_command` makes; loaded at its first use."""

    def __init__(
        self, name: str, path: str, device: str = "auto", make_command: str | None = None
    ) -> None:
        self.name, self.path, self.device = name, Path(path), choose(device)
        self.make_command = encoder_command.elsewhere(make_command, name, path)

    @property
    def width(self) -> int:
        """Of a feature vector."""
        return self._model.shape.width

    @property
    def weakness(self) -> str:
        """Why it is no judge; empty where it is one, as far as is known."""
        return recall_record.weakness(self.path)

    def facts(self) -> Mapping[str, Any]:
        """All that decides its vectors."""
        return {
            "name": self.name,
            **self.fingerprint(),
            "layer": "projection",
            "size": self._model.shape.size,
            "resize": "shorter side, bicubic, antialiased, uint8 (torch)",
            "crop": "square in the middle",
            "normalisation": "[-1, 1]",
        }

    def fingerprint(self) -> dict[str, str]:
        """Digests that tell these weights from others."""
        self._require_files()
        return encoder_files.fingerprint(self.path)

    def features(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """float32 [B, width] of images uint8 [H, W, 3] of any sizes."""
        return self._in_batches(images, self._image_features)

    def text_features(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [B, width]; a text is cut to the most tokens that the encoder reads."""
        return self._in_batches(texts, lambda part: self._model.text_features(*self._ids(part)))

    @torch.no_grad()
    def encode(self, captions: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token states [B, L, width], zero where no token is, and their mask [B, L]."""
        ids, mask = self._ids(captions)
        return self._model.text_tower(ids, mask), mask

    def _image_features(self, images: Sequence[np.ndarray]) -> Tensor:
        size = self._model.shape.size
        squares = torch.stack([_square(image, size) for image in images])
        return self._model.image_features(pixels.to_signed(squares).to(self.device))

    def _ids(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        ids, mask = tokens.encode(self._tokenizer, texts)
        return ids.to(self.device), mask.to(self.device)

    @torch.no_grad()
    def _in_batches(self, items: Sequence[Any], look: Callable[[Sequence[Any]], Tensor]) -> Any:
        starts = range(0, len(items), BATCH)
        parts = [look(items[at : at + BATCH]).float().cpu().numpy() for at in starts]
        return np.concatenate([np.zeros((0, self.width), np.float32), *parts])

    @cached_property
    def _parts(self) -> tuple[TwoTowers, Tokenizer]:
        self._require_files()
        cure = "make it again" if self.make_command is None else f"type {self.make_command}"
        advice = f"Remove {self.path}, then {cure}."
        model, tokenizer = encoder_files.read(self.path, advice)
        return model.to(self.device), tokenizer

    @property
    def _model(self) -> TwoTowers:
        return self._parts[0]

    @property
    def _tokenizer(self) -> Tokenizer:
        return self._parts[1]

    def _require_files(self) -> None:
        if missing := encoder_files.missing(self.path):
            cure = f"Make it with: {self.make_command}" if self.make_command else "Put it there."
            raise FileNotFoundError(
                f"encoder {self.name!r}: the folder {self.path} lacks {', '.join(missing)}. {cure}"
            )


def _square(image: np.ndarray, size: int) -> Tensor:
    """As in training: uint8 [3, size, size]."""
    planes = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)
    return transform.centre(transform.resize(planes, size), size)
