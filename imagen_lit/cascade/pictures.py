"""Prompts drawn into memory by a cascade: the bits of `sample`, which draws them into files."""

from collections.abc import Sequence
from typing import Any

from PIL import Image

from imagen_lit.basics import arguments, pixels
from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import stage_texts
from imagen_lit.cascade.drawing_pass import DrawingPass
from imagen_lit.text import lost_text
from imagen_lit.text.text_encoder import TextEncoder


def of(
    cascade: Any,
    encoder: TextEncoder,
    prompts: str | Sequence[str],
    seed: int,
    images: int,
    batch: int,
) -> Any:
    """One PIL image for one prompt; for several, or several images of each, a list of them."""
    for name, value, least in (("seed", seed, 0), ("images", images, 1), ("batch", batch, 1)):
        arguments.whole_number(name, value, least)
    is_list = isinstance(prompts, Sequence) and not isinstance(prompts, str)
    captions: list[Any] = list(prompts) if is_list else [prompts]
    if not captions or not all(isinstance(each, str) for each in captions):
        raise InputError(f'{prompts!r} is no prompt, and no list of them. Write "a red circle".')
    captions = [each if each.strip() else "" for each in captions]
    lost_text.warn(encoder, cascade.texts(captions))
    requests = [(caption, seed + i) for caption in captions for i in range(images)]
    drawn = _draw(cascade, encoder, list(dict.fromkeys(requests)), batch)
    pictures = [drawn[request] for request in requests]
    return pictures[0] if isinstance(prompts, str) and images == 1 else pictures


def _draw(
    cascade: Any, encoder: TextEncoder, requests: list[tuple[str, int]], batch: int
) -> dict[tuple[str, int], Image.Image]:
    """The last stage's image of each request."""
    cascade.load_weights()
    cascade.give_empty_caption(encoder)
    captions = [prompt for prompt, _ in requests]
    shape = DrawingPass.of(encoder, captions, batch, cascade.templates)
    drawn: dict[tuple[str, int], Image.Image] = {}
    for start in range(0, len(requests), shape.width):
        current = requests[start : start + shape.width]
        texts, seeds = [prompt for prompt, _ in current], [seed for _, seed in current]
        others = stage_texts.others(cascade.stages, shape, encoder, texts)
        negatives = stage_texts.negatives(cascade.stages, shape, encoder)
        condition = shape.condition(encoder, texts)
        drawing = cascade.draw(condition, shape.fill(seeds), others=others, negatives=negatives)
        *_, (_, last) = drawing
        for request, image in zip(current, pixels.to_array(last), strict=False):
            drawn[request] = Image.fromarray(image)
    return drawn
