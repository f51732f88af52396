"""How clearly token vectors say which thing is where: what an image network needs to place two
things.

For the colour words of two-object captions, normalised as the networks do it: the share of their
total variance that is explained by whether the colour is above, below, left or right. With random
weights that is a percent or two, mostly due to word order.
"""

from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from imagen_lit.shapes import caption, world
from imagen_lit.shapes.held_out import TRAINING, WORDS
from imagen_lit.shapes.scene import COLOURS, CONVERSE


class Encoder(Protocol):
    """A text encoder with its tokenizer."""

    @property
    def tokenizer(self) -> Any:
        """Hugging Face's."""

    def encode(self, captions: list[str]) -> tuple[Tensor, Tensor]:
        """Token vectors [B, L, D] and mask [B, L]."""


def share(encoder: Encoder, captions: int = 2000, seed: int = 0) -> float:
    """Variance between the means of the four roles, over the whole variance: in [0, 1]."""
    rng = np.random.default_rng(seed)
    scenes = [world.draw_scene(rng, "two", TRAINING, WORDS) for _ in range(captions)]
    expectations = [caption.expectation(rng, scene) for scene in scenes]
    texts = [caption.phrase(rng, expectation) for expectation in expectations]
    vectors = encoder.encode(texts)[0].cpu()  # the masks below are made there
    ids = encoder.tokenizer(texts, padding=True, return_tensors="pt")["input_ids"]
    names = [encoder.tokenizer(colour)["input_ids"][0] for colour in COLOURS]
    is_colour = torch.isin(ids, torch.tensor(names))  # two in each caption, in its order
    colours = F.layer_norm(vectors[is_colour], vectors.shape[-1:])
    relations = [expectation["relation"] for expectation in expectations]
    roles = np.array([(relation, CONVERSE[relation]) for relation in relations]).flatten()
    centred = colours - colours.mean(0)
    between = 0.0
    for role in CONVERSE:
        group = centred[torch.from_numpy(roles == role)]
        between += len(group) * float(group.mean(0).square().sum())
    return between / float(centred.square().sum())
