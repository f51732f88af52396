"""The text that the encoder is pretrained on: consistent, and without what is held out."""

from itertools import islice

from caption_parser import FORBIDDEN, parse, triples

from imagen_lit.cli import config
from imagen_lit.shapes.grammar import documents
from imagen_lit.shapes.held_out import HELD_OUT_WORDS
from imagen_lit.shapes.prompts import held_out_prompts


def test_the_text_encoder_never_reads_what_is_held_out() -> None:
    cfg = config.compose("pretrain_text", [])
    captions = [caption for caption, _ in islice(documents(cfg.seed), cfg.documents)]
    contents = [parse(caption) for caption in captions]
    assert not FORBIDDEN & {triple for content in contents for triple in triples(content)}
    assert not set(HELD_OUT_WORDS) & {content["word"] for content in contents}
    prompts = {p["prompt"] for p in held_out_prompts(256, 0)}
    assert not prompts & set(captions)


def test_a_description_says_what_its_caption_says() -> None:
    """Who is on top, according to the caption and to each description, read independently."""
    relations = {"above": "top", "over": "top", "below": "bottom", "under": "bottom"}
    for caption, descriptions in islice(documents(5), 600):
        words = caption.split()
        place = next((relations[w] for w in words if w in relations), None)
        if place is None:
            continue
        position = next(i for i, w in enumerate(words) if w in relations)
        first, second = words[position - 2 : position], words[-2:]
        upper, lower = (first, second) if place == "top" else (second, first)
        for description in descriptions:
            if "," in description.split():
                halves = description.split(" , ")
                top = next(h for h in halves if h.startswith("top"))
                assert top.split()[-2:] == upper
                assert next(h for h in halves if h.startswith("bottom")).split()[-2:] == lower
