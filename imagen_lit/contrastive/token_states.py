"""The token states of a small CLIP's text tower, as a text encoder of the diffusion model.

It is what a text encoder is to all that reads one (`text.text_encoder`), and stands here because
only this room knows the towers. A metric must not look with the weights that read the prompts:
`fingerprint` has the digest by which `evaluate` notices.
"""

from functools import cached_property
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from imagen_lit.basics import arguments, encoder_command, encoder_precision
from imagen_lit.basics.device import choose
from imagen_lit.basics.errors import InputError
from imagen_lit.contrastive import encoder_files
from imagen_lit.contrastive import tokenizer as tokens
from imagen_lit.contrastive.text_tower import TextTower


class TokenStates:
    """`layer` indexes the tower's states: 0 the embedding, -1 the normalised output, -2 the layer
    before the last, as the paper reads CLIP (App. D.1)."""

    unknown_token = None  # its tokens are bytes, and what is made of them

    def __init__(
        self,
        name: str,
        path: str,
        width: int,
        max_length: int = 64,
        layer: int = -2,
        device: str = "auto",
        dtype: str = "float32",
        make_command: str | None = None,
    ) -> None:
        encoder_precision.require(name, dtype)
        self.name, self.path, self.width = name, Path(path), width
        self.max_length = arguments.whole_number("text.max_length", max_length, 3)
        self.layer, self.dtype, self.device = layer, dtype, choose(device)
        self.make_command = encoder_command.elsewhere(make_command, name, path)

    @property
    def model(self) -> TextTower:
        """The tower, loaded once."""
        return self._parts[0]

    @torch.no_grad()
    def encode(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """Token vectors float32 [B, L, D] and mask [B, L]."""
        ids, mask = (part.to(self.device) for part in tokens.encode(self._parts[1], captions))
        states = self.model.states(ids, mask)[self.layer]
        return states.float().masked_fill(~mask[..., None], 0), mask

    def lengths(self, captions: list[str]) -> list[int]:
        """Tokens of each caption, as `encode` counts them."""
        return [min(len(ids), self.max_length) for ids in self.token_ids(captions)]

    def token_ids(self, captions: list[str]) -> list[list[int]]:
        """Each caption's tokens, also those beyond `max_length`, which `encode` does not read."""
        return [each.ids for each in self._parts[2].encode_batch(captions)]

    def pieces(self, words: list[str]) -> list[list[str]]:
        """The tokens of each word as text, without start and end."""
        parts = self._parts[2].encode_batch(words, add_special_tokens=False)
        return [each.tokens for each in parts]

    def settings(self) -> dict[str, str]:
        """The part of the fingerprint that does not depend on the files."""
        return {
            "encoder": self.name,
            "class": type(self).__name__,
            "max_length": str(self.max_length),
            "layer": str(self.layer),
            "compute_dtype": self.dtype,
        }

    def fingerprint(self) -> dict[str, str]:
        """What must be equal for two embeddings to be comparable; stored in every cache file."""
        self._require_files()
        return self.settings() | encoder_files.fingerprint(self.path)

    def missing_files(self, weights: bool = True) -> str:
        """Which files are missing and how to get them, in words; empty if none is."""
        missing = encoder_files.missing(self.path)
        if not weights:
            missing = [name for name in missing if name != encoder_files.WEIGHTS]
        if not missing:
            return ""
        cure = f"Make it with: {self.make_command}" if self.make_command else "Put it there."
        return (
            f"text encoder {self.name!r}: the folder {self.path} lacks {', '.join(missing)}. {cure}"
        )

    def _require_files(self) -> None:
        if missing := self.missing_files():
            raise FileNotFoundError(missing)

    @cached_property
    def _parts(self) -> tuple[TextTower, Tokenizer, Tokenizer]:
        """The tower, the tokenizer that cuts and pads, and one that does neither."""
        self._require_files()
        cure = "make it again" if self.make_command is None else f"type {self.make_command}"
        model, whole = encoder_files.read(self.path, f"Remove {self.path}, then {cure}.")
        self._check_settings(model.shape.width, model.shape.max_length, model.shape.layers + 1)
        cutting = Tokenizer.from_str(whole.to_str())
        cutting.enable_truncation(self.max_length)
        whole.no_truncation()
        whole.no_padding()
        tower = model.text_tower.to(self.device, getattr(torch, self.dtype))
        return tower, cutting, whole

    def _check_settings(self, width: int, longest: int, states: int) -> None:
        if width != self.width:
            raise InputError(
                f"text encoder {self.name!r} in {self.path} has width {width}, but "
                f"text.width={self.width}. Set text.width={width}."
            )
        if self.max_length > longest:
            raise InputError(
                f"text encoder {self.name!r} has positions for {longest} tokens, but "
                f"text.max_length={self.max_length}. Set text.max_length={longest} or less."
            )
        if not -states <= self.layer < states:
            raise InputError(
                f"text encoder {self.name!r} has {states} hidden states, but "
                f"text.layer={self.layer}. Set text.layer to {-states} … {states - 1}."
            )
