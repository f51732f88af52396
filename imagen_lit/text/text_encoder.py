"""What every text encoder does, whatever stands behind it: weights, a tower of our own, or a hash.

Law: `encode` gives one vector per token, `token_ids` says which tokens those are, and equal
fingerprints give equal vectors.
"""

from typing import Protocol

import torch
from torch import Tensor, nn


class TextEncoder(Protocol):
    """Frozen: captions to token vectors."""

    name: str
    max_length: int  # tokens of a caption; longer ones are cut
    dtype: str  # that it computes in
    device: torch.device

    @property
    def width(self) -> int:
        """Of a token vector."""

    @property
    def model(self) -> nn.Module:
        """The network, loaded at its first use; without parameters where there is none."""

    @property
    def unknown_token(self) -> str | None:
        """What stands for anything that it has no token for; None if it has one for everything."""

    def encode(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """Token vectors float32 [B, L, D], zero where no token is, and their mask [B, L]."""

    def lengths(self, captions: list[str]) -> list[int]:
        """Tokens of each caption, as `encode` counts them."""

    def token_ids(self, captions: list[str]) -> list[list[int]]:
        """Each caption's tokens, also those beyond `max_length`, which `encode` does not read."""

    def pieces(self, words: list[str]) -> list[list[str]]:
        """The tokens of each word as text, without those that only mark an end."""

    def settings(self) -> dict[str, str]:
        """The part of the fingerprint that does not depend on files."""

    def fingerprint(self) -> dict[str, str]:
        """What must be equal for two embeddings to be comparable; stored in every cache file."""

    def missing_files(self, weights: bool = True) -> str:
        """Which files are missing and how to get them, in words; empty if none is."""
