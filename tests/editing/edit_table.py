"""Print the table of docs/editing.md: how well the demo's cascade edits scenes of the shapes world,
by the exact reader, and how near enlarged scenes come to the true ones.

    python tests/editing/edit_table.py inpaint outpaint widen --times 1 2 4
    python tests/editing/edit_table.py variations --strength 0.5 0.8
    python tests/editing/edit_table.py plain consistent --cases 24
"""

import argparse
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from imagen_lit.basics import pixels
from imagen_lit.cascade import edits
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.drawing_pass import DrawingPass
from imagen_lit.cli import config
from imagen_lit.diffusion.jumps import Jumps
from imagen_lit.evaluation.confidence_interval import wilson
from imagen_lit.shapes import reader, scene, world
from imagen_lit.stage.edit import Edit

SEED = 4711  # of scenes that no training has seen: it draws from other seeds
ROOM = 0.5  # cells around a hidden object
BATCH = 50


class Case(NamedTuple):
    """A picture with a hole, and what is to be there in the end."""

    picture: np.ndarray
    hole: np.ndarray
    prompt: str
    scene: dict


def scenes(mix: dict[str, float], count: int) -> Iterator[tuple[dict, str]]:
    yield from (world.training_scene(SEED, number, mix) for number in range(count))


def inpainting(size: int, count: int) -> Iterator[Case]:
    """One of one or two objects is hidden."""
    for number, (each, prompt) in enumerate(scenes({"one": 0.5, "two": 0.5}, count)):
        hidden = each["objects"][number % len(each["objects"])]
        half = np.array(scene.SHAPES[hidden["shape"]]) * hidden["extent"] / 2 + ROOM * scene.CELL
        low = np.floor((hidden["centre"] - half) * size).clip(0).astype(int)
        high = np.ceil((hidden["centre"] + half) * size).astype(int)
        hole = np.zeros((size, size), bool)
        hole[low[1] : high[1], low[0] : high[0]] = True
        yield case(each, prompt, size, hole)


def outpainting(size: int, count: int) -> Iterator[Case]:
    """The half of the frame that has one of two objects is given."""
    for number, (each, prompt) in enumerate(scenes({"two": 1.0}, count)):
        axis = 1 if each["relation"] in ("above", "below") else 0
        halves = [scene.SHAPES[o["shape"]][axis] * o["extent"] / 2 for o in each["objects"]]
        centres = [o["centre"][axis] for o in each["objects"]]
        first, second = sorted(zip(centres, halves, strict=True))
        cut = int((first[0] + first[1] + second[0] - second[1]) / 2 * size)
        hole = np.zeros((size, size), bool)
        side = slice(cut, None) if number % 2 else slice(0, cut)
        hole[(side, slice(None)) if axis == 1 else (slice(None), side)] = True
        yield case(each, prompt, size, hole)


def widening(size: int, count: int) -> Iterator[Case]:
    """A whole picture of one object, and half as much room beside it for another."""
    kinds = scenes({"two": 1.0}, 20 * count)
    beside = [pair for pair in kinds if pair[0]["relation"] in ("left", "right")][:count]
    for each, prompt in beside:
        first = each["objects"][0]
        rng = np.random.default_rng(len(prompt))
        one = scene.place_one(rng, (first["colour"], first["shape"]), first["size"])
        picture = scene.render(each | {"objects": one}, size)
        room = ((0, 0), (0, size // 2) if each["relation"] == "left" else (size // 2, 0))
        hole = np.pad(np.zeros((size, size), bool), room, constant_values=True)
        wide = np.pad(picture, (*room, (0, 0)), constant_values=127)
        yield Case(wide, hole, prompt, each)


def case(each: dict, prompt: str, size: int, hole: np.ndarray) -> Case:
    picture = scene.render(each, size)
    picture[hole] = 127
    return Case(picture, hole, prompt, each)


def square(image: np.ndarray) -> np.ndarray:
    """With more ground above and below, for the reader."""
    height, width = image.shape[:2]
    over = (width - height) // 2
    return np.pad(image, ((over, width - height - over), (0, 0), (0, 0)), mode="edge")


def is_exact(image: np.ndarray, each: dict) -> bool:
    return bool(reader.matches(reader.read(square(image)), unsized(each))["exact"])


def unsized(each: dict) -> dict:
    return each | {"objects": [o | {"size": None} for o in each["objects"]]}


def tensors(cases: list[Case]) -> tuple[Tensor, Tensor]:
    pictures = torch.from_numpy(np.stack([each.picture for each in cases])).movedim(-1, 1)
    holes = torch.from_numpy(np.stack([each.hole for each in cases]))[:, None]
    return pixels.to_signed(pictures), holes


def draw(
    cascade: Cascade, encoder: object, cases: list[Case], edit: Callable[[list[Case]], dict]
) -> dict[str, np.ndarray]:
    """The images of each stage."""
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in cascade.stages}
    for start in range(0, len(cases), BATCH):
        part = cases[start : start + BATCH]
        prompts = [each.prompt for each in part]
        condition = DrawingPass.of(encoder, prompts, len(part)).condition(encoder, prompts)
        condition = condition.rows([*range(len(part))])
        seeds = [*range(start, start + len(part))]
        for name, images in cascade.draw(condition, seeds, edits=edit(part)):
            drawn[name].append(pixels.to_array(images))
    return {name: np.concatenate(each) for name, each in drawn.items()}


def report(title: str, hits: list[bool], note: str = "") -> None:
    low, high = wilson(sum(hits), len(hits))
    print(f"| {title} | {np.mean(hits):.3f} [{low:.3f}, {high:.3f}] | {note} |", flush=True)


MAKERS = {"inpaint": inpainting, "outpaint": outpainting, "widen": widening}


def holes(kind: str, cascade: Cascade, encoder: object, count: int, jumps: Jumps) -> None:
    """Inpainting and outpainting: exact, and untouched outside the hole at every stage."""
    size = list(cascade.stages.values())[-1].size
    cases = [*MAKERS[kind](size, count)]
    began = time.time()
    drawn = draw(
        cascade,
        encoder,
        cases,
        lambda part: edits.edits_of(cascade, *tensors(part), Edit(jumps=jumps)),
    )
    seconds = time.time() - began
    for name, images in drawn.items():
        given = pixels.to_array(edits.pictures_of(cascade, tensors(cases)[0])[name])
        hole = edits.holes_of(cascade, tensors(cases)[1])[name][:, 0].numpy()
        intact = (images == given)[~hole].all()
        hits = [is_exact(image, each.scene) for image, each in zip(images, cases, strict=True)]
        report(f"{kind}, {jumps}, {name}", hits, f"rest untouched: {intact}; {seconds:.0f} s")


def variations(cascade: Cascade, encoder: object, count: int, strength: float) -> None:
    """The same facts, and how far the objects moved."""
    size = list(cascade.stages.values())[-1].size
    mix = {"one": 0.4, "two": 0.4, "count": 0.2}
    cases = [
        Case(scene.render(each, size), np.ones((size, size), bool), prompt, each)
        for each, prompt in scenes(mix, count)
    ]
    drawn = draw(
        cascade,
        encoder,
        cases,
        lambda part: edits.edits_of(cascade, tensors(part)[0], None, Edit(strength=strength)),
    )
    for name, images in drawn.items():
        given = pixels.to_array(edits.pictures_of(cascade, tensors(cases)[0])[name]).astype(int)
        moved = np.abs(images - given).mean()
        hits = [is_exact(image, each.scene) for image, each in zip(images, cases, strict=True)]
        report(
            f"variations, strength {strength}, {name}",
            hits,
            f"mean difference {moved:.1f} grey levels",
        )


def enlarging(cascade: Cascade, encoder: object, count: int, how: str) -> None:
    """From true small pictures; the distance from the true large one."""
    names = list(cascade.stages)[1:]
    for first in range(len(names)):
        above = Cascade(**{name: cascade.stages[name] for name in names[first:]})
        before = above.stages[names[first]].size_in
        found = [*scenes(world.TRAINING_MIX, count)]
        small = np.stack([scene.render(each, before) for each, _ in found])
        small = pixels.to_signed(torch.from_numpy(small).movedim(-1, 1))
        prompts = [prompt for _, prompt in found]
        condition = DrawingPass.of(encoder, prompts, count).condition(encoder, prompts)
        condition = condition.rows([*range(count)])
        own = edits.details_of(above, small) if how == "consistent" else {}
        for name, images in above.draw(condition, [*range(count)], start=small, edits=own):
            true = np.stack([scene.render(each, above.stages[name].size) for each, _ in found])
            error = ((pixels.to_array(images).astype(float) - true) ** 2).mean((1, 2, 3))
            ratio = 10 * np.log10(255**2 / error)
            words = f"{before} to {images.shape[-1]}, {how}"
            whole = 10 * np.log10(255**2 / error.mean())
            print(f"| {words} | {whole:.1f} dB, the worst {ratio.min():.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kinds", nargs="+")
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--length", type=int, default=4)
    parser.add_argument("--times", type=int, nargs="+", default=[4])
    parser.add_argument("--strength", type=float, nargs="+", default=[0.8])
    parser.add_argument("--words", nargs="*", default=[])
    typed = parser.parse_args()
    cfg = config.compose("sample", typed.words)
    cascade, encoder = config.build(cfg.cascade), config.build(cfg.text)
    cascade.check(encoder.fingerprint())
    for kind in typed.kinds:
        if kind in MAKERS:
            for times in typed.times:
                holes(kind, cascade, encoder, typed.cases, Jumps(typed.length, times))
        elif kind == "variations":
            for strength in typed.strength:
                variations(cascade, encoder, typed.cases, strength)
        else:
            enlarging(cascade, encoder, typed.cases, kind)


if __name__ == "__main__":
    main()
