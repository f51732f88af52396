"""CLIP (Radford et al. 2021): images and texts in one space, from a Hugging Face folder."""

import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from transformers import AutoTokenizer, CLIPConfig, CLIPModel, PreTrainedTokenizerBase

from imagen_lit.basics import fingerprint
from imagen_lit.basics.arguments import whole_number
from imagen_lit.basics.device import choose
from imagen_lit.basics.short_form import shorten
from imagen_lit.features import batches, resize
from imagen_lit.features.hugging_face import ModelFolder

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
NEEDS = (("config.json",), fingerprint.WEIGHTS, fingerprint.VOCABULARIES)
MOST = 5  # texts that are named


class CLIP:
    """Images as transformers prepares them: Pillow's bicubic kernel brings the shorter side to the
    network's size, and the middle is cut out."""

    def __init__(
        self,
        name: str,
        path: str,
        width: int,
        batch: int = 32,
        device: str = "auto",
        make_command: str | None = None,
    ) -> None:
        self.name, self.width = name, width
        self.folder = ModelFolder(name, path, make_command, NEEDS)
        self.batch = whole_number("batch", batch, 1)
        self.device = choose(device)

    @cached_property
    def model(self) -> CLIPModel:
        """Loaded once."""
        model = self.folder.load(CLIPModel, self.device)
        self.folder.require_width(self.width, model.config.projection_dim)
        return model

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Its own, loaded once."""
        with self.folder.reading("tokenizer"):
            return AutoTokenizer.from_pretrained(self.folder.path)

    @cached_property
    def config(self) -> Any:
        """Its settings, which are read without its weights."""
        with self.folder.reading("config.json"):
            return CLIPConfig.from_pretrained(self.folder.path)

    @property
    def size(self) -> int:
        """Edge of the square that it sees."""
        return self.config.vision_config.image_size

    @property
    def max_tokens(self) -> int:
        """Of a text, with those that mark its beginning and end."""
        return self.config.text_config.max_position_embeddings

    def facts(self) -> Mapping[str, Any]:
        """What decides its vectors."""
        return {
            "extractor": self.name,
            "layer": "projection",
            **self.folder.digests(),
            "resize": {
                "name": "shorter side, then the middle",
                "size": self.size,
                "kernel": "bicubic",
                "antialias": True,
                "result": "rounded to uint8",
            },
            "normalisation": f"(x / 255 - {list(MEAN)}) / {list(STD)}",
            "max_tokens": self.max_tokens,
        }

    def features(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """float32 [B, width], not normalised."""
        return batches.vectors(
            images, self._prepare, self._image_vectors, self.device, self.batch, self.width
        )

    def text_features(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [B, width], not normalised; what is lost of a long text is told."""
        self._tell_lost(texts)
        parts = [np.zeros((0, self.width), np.float32)]
        model = self.model
        with batches.exact_float32(self.device):
            for start in range(0, len(texts), self.batch):
                tokens = self.tokenizer(
                    list(texts[start : start + self.batch]),
                    padding=True,
                    truncation=True,
                    max_length=self.max_tokens,
                    return_tensors="pt",
                ).to(self.device)
                parts.append(model.get_text_features(**tokens).pooler_output.cpu().numpy())
        return np.concatenate(parts)

    def _image_vectors(self, pixels: Tensor) -> Tensor:
        return self.model.get_image_features(pixel_values=pixels).pooler_output

    def _prepare(self, image: np.ndarray) -> Tensor:
        square = resize.plain(middle(image, self.size))
        mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in (MEAN, STD))
        return (square / 255 - mean) / std

    def _tell_lost(self, texts: Sequence[str]) -> None:
        """Warn of texts of more tokens than it reads, with their ends."""
        distinct = list(dict.fromkeys(texts))
        tokens = self.tokenizer(distinct, verbose=False)["input_ids"] if distinct else []
        cut = [
            (text, ids)
            for text, ids in zip(distinct, tokens, strict=True)
            if len(ids) > self.max_tokens
        ]
        for text, ids in cut[:MOST]:
            end = self.tokenizer.decode(ids[self.max_tokens - 1 : -1])
            warnings.warn(
                f"the text {shorten(text)!r} is longer than the {self.max_tokens} tokens that "
                f"{self.name} reads. This is lost: {shorten(str(end).strip())!r}",
                stacklevel=3,
            )
        if len(cut) > MOST:
            warnings.warn(f"{len(cut) - MOST} more texts are cut like these", stacklevel=3)


def middle(image: np.ndarray, size: int) -> np.ndarray:
    """The middle square of an image whose shorter side is brought to `size`."""
    height, width = image.shape[:2]
    short = min(height, width)
    shape = (size * width // short, size * height // short)
    resized = Image.fromarray(image).resize(shape, Image.Resampling.BICUBIC)
    left, top = (shape[0] - size) // 2, (shape[1] - size) // 2
    return np.asarray(resized.crop((left, top, left + size, top + size)))
