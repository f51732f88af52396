"""How clearly token vectors say which thing is where: what an image network needs to place two
things.

For the colour words of two-object captions, normalised as the networks do it: the share of their
total variance that is explained by whether the colour is above, below, left or right. With random
weights that is a percent or two, mostly due to word order. A little is not the encoder's: in these
captions the colour alone goes with the role a bit. `share_within_words` leaves that out: of vectors
that do not depend on what stands around the word, it is zero.
"""

from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from imagen_lit.basics.errors import InputError
from imagen_lit.shapes import caption, world
from imagen_lit.shapes.held_out import TRAINING, WORDS
from imagen_lit.shapes.scene import COLOURS, CONVERSE


class Encoder(Protocol):
    """Any text encoder."""

    def token_ids(self, captions: list[str]) -> list[list[int]]:
        """Each caption's tokens."""

    def encode(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """Token vectors [B, L, D] and mask [B, L]."""


def share(encoder: Encoder, captions: int = 2000, seed: int = 0) -> float:
    """Variance between the means of the four roles, over the whole variance: in [0, 1]."""
    colours, roles, _ = _colour_words(encoder, captions, seed)
    return _between(colours - colours.mean(0), roles) / _variance(colours)


def share_within_words(encoder: Encoder, captions: int = 2000, seed: int = 0) -> float:
    """The same after each colour word's own mean is taken off: what the word alone does not say."""
    colours, roles, words = _colour_words(encoder, captions, seed)
    rest = colours.clone()
    for word in words.unique():
        rest[words == word] -= colours[words == word].mean(0)
    return _between(rest, roles) / _variance(colours)


def _colour_words(encoder: Encoder, captions: int, seed: int) -> tuple[Tensor, np.ndarray, Tensor]:
    """Vector [N, D], role [N] and token [N] of each colour word, two in each caption."""
    rng = np.random.default_rng(seed)
    scenes = [world.draw_scene(rng, "two", TRAINING, WORDS) for _ in range(captions)]
    expectations = [caption.expectation(rng, scene) for scene in scenes]
    texts = [caption.phrase(rng, expectation) for expectation in expectations]
    vectors, mask = (part.cpu() for part in encoder.encode(texts))
    marks = set(encoder.token_ids([""])[0])  # of the start and the end
    names = [
        next(token for token in ids if token not in marks)
        for ids in encoder.token_ids(list(COLOURS))
    ]
    ids = torch.zeros(mask.shape, dtype=torch.int64)
    for row, tokens in zip(ids, encoder.token_ids(texts), strict=True):
        row[: len(tokens)] = torch.tensor(tokens[: len(row)])
    is_colour = torch.isin(ids, torch.tensor(names)) & mask
    if len({*names}) < len(names) or not (is_colour.sum(1) == 2).all():
        raise InputError(
            "the encoder has no token of its own for each colour word, so their roles cannot be "
            "told apart. Choose another text=..."
        )
    colours = F.layer_norm(vectors[is_colour], vectors.shape[-1:])
    relations = [expectation["relation"] for expectation in expectations]
    roles = np.array([(relation, CONVERSE[relation]) for relation in relations]).flatten()
    return colours, roles, ids[is_colour]


def _between(centred: Tensor, roles: np.ndarray) -> float:
    groups = [centred[torch.from_numpy(roles == role)] for role in CONVERSE]
    return sum(len(group) * float(group.mean(0).square().sum()) for group in groups)


def _variance(colours: Tensor) -> float:
    return float((colours - colours.mean(0)).square().sum())
