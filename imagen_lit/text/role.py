"""How loudly token vectors say who is where: what a picture network must hear to place two things.

Of the colour words of two-object captions, normalised as the networks do it: which share of all
their variance is that the colour stands above, below, left or right. In vectors of random weights
that is a percent or two, and mostly the order of the words.
"""

import numpy as np
import torch
import torch.nn.functional as F

from imagen_lit.data import demo, demo_caption
from imagen_lit.data.demo_scene import COLOURS, CONVERSE
from imagen_lit.text.encoder import HuggingFace


def share(encoder: HuggingFace, captions: int = 2000, seed: int = 0) -> float:
    """Between the means of the four roles, over all: in [0, 1]."""
    rng = np.random.default_rng(seed)
    scenes = [demo.draw_scene(rng, "two", demo.SEEN, demo.WORDS) for _ in range(captions)]
    told = [demo_caption.expectation(rng, scene) for scene in scenes]
    said = [demo_caption.phrase(rng, each) for each in told]
    vectors, _ = encoder.encode(said)
    ids = encoder.tokenizer(said, padding=True, return_tensors="pt")["input_ids"]
    names = [encoder.tokenizer(colour)["input_ids"][0] for colour in COLOURS]
    colours = torch.isin(ids, torch.tensor(names))  # two in each caption, in its order
    found = F.layer_norm(vectors[colours], vectors.shape[-1:])
    relations = [each["relation"] for each in told]
    roles = np.array([(relation, CONVERSE[relation]) for relation in relations]).flatten()
    apart = found - found.mean(0)
    between = 0.0
    for role in CONVERSE:
        own = apart[torch.from_numpy(roles == role)]
        between += len(own) * float(own.mean(0).square().sum())
    return between / float(apart.square().sum())
