"""How loudly token vectors say who is where: what a picture network must hear to place two things.

Of the colour words of two-object captions, normalised as the networks do it: which share of all
their variance is that the colour stands above, below, left or right. In vectors of random weights
that is a percent or two, and mostly the order of the words.
"""

import torch
import torch.nn.functional as F

from imagen_lit.data import demo
from imagen_lit.data.demo_scene import COLOURS, CONVERSE
from imagen_lit.text.encoder import HuggingFace


def share(encoder: HuggingFace, prompts: int = 2000, seed: int = 0) -> float:
    """Between the means of the four roles, over all: in [0, 1]."""
    told = [each for each in demo.training_prompts(prompts, seed) if each["category"] == "two"]
    names = {encoder.tokenizer(colour)["input_ids"][0] for colour in COLOURS}
    captions = [each["prompt"] for each in told]
    vectors, _ = encoder.encode(captions)
    ids = encoder.tokenizer(captions, padding=True, return_tensors="pt")["input_ids"]
    colours = torch.isin(ids, torch.tensor(sorted(names)))  # two in each caption, in its order
    found = F.layer_norm(vectors[colours], vectors.shape[-1:]).unflatten(0, (len(told), 2))
    relations = [each["expectation"]["relation"] for each in told]
    roles = [(relation, CONVERSE[relation]) for relation in relations]
    spread = (found - found.mean((0, 1))).square().sum()
    between = torch.zeros(())
    for role in CONVERSE:
        own = found[torch.tensor([[name == role for name in pair] for pair in roles])]
        between += len(own) * (own.mean(0) - found.mean((0, 1))).square().sum()
    return float(between / spread)
