"""Folders of small images with their prompts, as a study needs them, and the study itself."""

import json
from pathlib import Path
from typing import Any

from PIL import Image

from imagen_lit.rating import study, system
from imagen_lit.rating.database import Database
from imagen_lit.rating.drawbench import DrawBench
from imagen_lit.rating.study import Study

CATEGORIES = ("Colors", "Counting", "Text")


def folder(
    place: Path,
    prompts: int = 6,
    images: int = 2,
    size: tuple[int, int] = (8, 8),
    colour: tuple[int, int, int] = (200, 30, 30),
    **facts: Any,
) -> Path:
    """Images of one colour, `images` for each prompt, and the list that says which is which."""
    place.mkdir(parents=True, exist_ok=True)
    rows = []
    for prompt in range(prompts):
        for seed in range(images):
            name = f"{prompt}_{seed}.png"
            shade = tuple((value + 17 * prompt + 5 * seed) % 256 for value in colour)
            Image.new("RGB", size, shade).save(place / name)
            category = CATEGORIES[prompt % len(CATEGORIES)]
            row = {"file": name, "prompt": f"prompt {prompt}", "seed": seed, "category": category}
            rows.append(json.dumps(row | facts))
    (place / "prompts.jsonl").write_text("\n".join(rows) + "\n")
    return place


def systems(place: Path, *names: str, prompts: int = 6, images: int = 2) -> list[system.System]:
    """Systems of these names, each of its own colour."""
    return [
        system.read(
            name, folder(place / name, prompts, images, colour=(40 * number, 90, 200 - 50 * number))
        )
        for number, name in enumerate(names)
    ]


def begin(
    place: Path,
    protocol: Any = None,
    names: tuple[str, ...] = ("ours", "theirs"),
    raters: int = 4,
    prompts: int = 6,
    most: int | None = None,
    images: int = 2,
) -> Study:
    """A study of small images with so many raters."""
    chosen, protocol = (
        systems(place, *names, prompts=prompts, images=images),
        (protocol or DrawBench()),
    )
    facts = study.facts(protocol.name, protocol.instructions, chosen, 0, most, None)
    database = Database(place / "votes.sqlite")
    here = study.start(database, facts, protocol.trials(chosen, 0), chosen)
    database.invite(raters)
    return here
