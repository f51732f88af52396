"""An encoder without order: one frozen vector per word, whatever stands around it.

Laws: the words permuted, the vectors are permuted and nothing else. No files: a vector's signs are
the bits of SHAKE-256 of "<seed> <word>", so the seed is the weights, on any machine. Entries are +1
or -1, of unit variance and exact in any precision; two words have nearly orthogonal vectors. An end
follows the words, as in T5, so that no text is without a token.

What a network draws from it, it could draw from a list of the words: that a picture is right only
by its words, and not by who is where, is what it is a control for.
"""

import hashlib
import re
import unicodedata
from functools import cached_property, lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from imagen_lit.basics import arguments, encoder_precision
from imagen_lit.basics.device import choose

WORD = re.compile(r"\w+|[^\w\s]")
END = ""  # after the words; none of them is empty


class BagOfWords:
    """Upper and lower case are one. `dtype` names the precision of an ablation's other arms; these
    vectors are the same in each."""

    def __init__(
        self,
        name: str,
        width: int,
        max_length: int = 128,
        seed: int = 0,
        device: str = "auto",
        dtype: str = "float32",
    ) -> None:
        encoder_precision.require(name, dtype)
        self.name, self.dtype, self.device = name, dtype, choose(device)
        self.width = arguments.whole_number("text.width", width, 1)
        self.max_length = arguments.whole_number("text.max_length", max_length, 1)
        self.seed = arguments.whole_number("text.seed", seed, 0)

    @cached_property
    def model(self) -> nn.Module:
        """No network: nothing is multiplied."""
        return nn.Module()

    @property
    def unknown_token(self) -> None:
        """Every word has a vector."""

    def encode(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """Token vectors [B, L, D] and mask [B, L]."""
        rows = [[*words(text)[: self.max_length - 1], END] for text in captions]
        longest = max(map(len, rows), default=0)
        tokens = torch.zeros(len(rows), longest, self.width)
        mask = torch.zeros(len(rows), longest, dtype=torch.bool)
        for row, texts in enumerate(rows):
            vectors = np.stack([signs(self.seed, word, self.width) for word in texts])
            tokens[row, : len(texts)] = torch.from_numpy(vectors)
            mask[row, : len(texts)] = True
        return tokens.to(self.device), mask.to(self.device)

    def lengths(self, captions: list[str]) -> list[int]:
        """Words of each caption and its end, as `encode` counts them."""
        return [min(len(words(text)) + 1, self.max_length) for text in captions]

    def token_ids(self, captions: list[str]) -> list[list[int]]:
        """A number for each word and for the end, also of those beyond `max_length`."""
        return [[_number(word) for word in (*words(text), END)] for text in captions]

    def pieces(self, words: list[str]) -> list[list[str]]:
        """Each word as it is."""
        return [[word] for word in words]

    def settings(self) -> dict[str, str]:
        """All that decides the vectors: there are no files."""
        return {
            "encoder": self.name,
            "class": type(self).__name__,
            "max_length": str(self.max_length),
            "width": str(self.width),
            "seed": str(self.seed),
            "compute_dtype": self.dtype,
        }

    def fingerprint(self) -> dict[str, str]:
        """The settings, and in place of a digest of weights, what they are."""
        return self.settings() | {"weights": "signs of SHAKE-256 of the seed and the word"}

    def missing_files(self, weights: bool = True) -> str:
        """None is: it has none."""
        return ""


def words(text: str) -> list[str]:
    """Words and marks, in one spelling."""
    return WORD.findall(unicodedata.normalize("NFKC", text).lower())


@lru_cache(maxsize=2**16)
def signs(seed: int, word: str, width: int) -> np.ndarray:
    """float32 [width] of +1 and -1."""
    bits = hashlib.shake_256(f"{seed} {word}".encode()).digest(-(-width // 8))
    return np.unpackbits(np.frombuffer(bits, np.uint8))[:width] * np.float32(2) - 1


@lru_cache(maxsize=2**16)
def _number(word: str) -> int:
    return int.from_bytes(hashlib.shake_256(word.encode()).digest(7))
