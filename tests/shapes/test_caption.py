"""Captions are true of their scenes, in varied words; read by a parser that shares no code."""

import numpy as np
from caption_parser import parse


def test_captions_are_true(examples: list) -> None:
    for scene, caption in examples:
        content, objects = parse(caption), scene["objects"]
        assert content["word"] == (scene["word"] and scene["word"]["text"])
        assert len(content["objects"]) == len(objects)
        kinds = [(o["colour"], o["shape"]) for o in objects]
        order = list(range(len(objects)))
        if [properties[1:] for properties in content["objects"]] != kinds:
            order.reverse()  # the converse relation
        for (size, colour, shape), i in zip(content["objects"], order, strict=True):
            assert (colour, shape) == kinds[i]
            cells = 16 * objects[i]["extent"]
            assert size is None or (cells < 5 if size == "small" else cells > 5.6)
        if content["relation"]:
            (ax, ay), (bx, by) = (objects[i]["centre"] for i in order)
            distance = {"above": by - ay, "below": ay - by, "left": bx - ax, "right": ax - bx}
            vertical = content["relation"] in ("above", "below")
            assert distance[content["relation"]] > 3 * abs(ax - bx if vertical else ay - by)


def test_half_of_the_sizes_are_mentioned_and_relations_run_both_ways(examples: list) -> None:
    ones = [parse(caption) for scene, caption in examples if scene["category"] == "one"]
    assert 0.45 < np.mean([content["objects"][0][0] is not None for content in ones]) < 0.55
    twos = [(scene, parse(caption)) for scene, caption in examples if scene["category"] == "two"]
    straight = [content["relation"] == scene["relation"] for scene, content in twos]
    assert 0.45 < np.mean(straight) < 0.55
