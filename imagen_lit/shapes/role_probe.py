"""How clearly token vectors say which thing is where: what an image network needs to place two
things.

For the colour words of two-object captions, normalised as the networks do it: the share of their
total variance that is explained by whether the colour is above, below, left or right. With random
weights that is a percent or two, mostly due to word order.
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
    rng = np.random.default_rng(seed)
    scenes = [world.draw_scene(rng, "two", TRAINING, WORDS) for _ in range(captions)]
    expectations = [caption.expectation(rng, scene) for scene in scenes]
    texts = [caption.phrase(rng, expectation) for expectation in expectations]
    vectors, mask = (part.cpu() for part in encoder.encode(texts))
    is_colour = _colour_tokens(encoder, texts, mask)
    colours = F.layer_norm(vectors[is_colour], vectors.shape[-1:])
    relations = [expectation["relation"] for expectation in expectations]
    roles = np.array([(relation, CONVERSE[relation]) for relation in relations]).flatten()
    centred = colours - colours.mean(0)
    between = 0.0
    for role in CONVERSE:
        group = centred[torch.from_numpy(roles == role)]
        between += len(group) * float(group.mean(0).square().sum())
    return between / float(centred.square().sum())


def _colour_tokens(encoder: Encoder, texts: list[str], mask: Tensor) -> Tensor:
    """Which tokens [B, L] begin a colour word: two in each caption, in its order."""
    marks = set(encoder.token_ids([""])[0])  # of the start and the end
    names = {
        next(token for token in ids if token not in marks)
        for ids in encoder.token_ids(list(COLOURS))
    }
    is_colour = torch.zeros_like(mask)
    for row, ids in zip(is_colour, encoder.token_ids(texts), strict=True):
        row[: len(ids)] = torch.tensor([token in names for token in ids[: len(row)]])
    if not (is_colour.sum(1) == 2).all():
        raise InputError(
            "the encoder has no token of its own for each colour word, so their roles cannot be "
            "told apart. Choose another text=..."
        )
    return is_colour
