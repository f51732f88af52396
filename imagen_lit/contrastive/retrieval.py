"""How often an image finds its own caption among those of others: recall at one, R@1."""

from collections.abc import Sequence

import numpy as np


def recall_at_1(
    images: np.ndarray, texts: np.ndarray, captions: Sequence[str], among: int
) -> float:
    """The share of images whose nearest text, by cosine, is their own or one equal to it, over all
    whole groups of `among` pairs; features [N, D], a row per pair."""
    cosines = [_unit(images[at]) @ _unit(texts[at]).T for at in _groups(len(images), among)]
    names = np.array([caption.lower() for caption in captions])
    hits = [
        names[at][cosine.argmax(1)] == names[at]
        for at, cosine in zip(_groups(len(images), among), cosines, strict=True)
    ]
    return float(np.mean(hits))


def _groups(count: int, among: int) -> list[slice]:
    return [slice(at, at + among) for at in range(0, count - among + 1, among)]


def _unit(features: np.ndarray) -> np.ndarray:
    return features / np.linalg.norm(features, axis=1, keepdims=True)
