"""A sheet shows what was drawn from each prompt, what is true, and the prompt's own words."""

from dataclasses import dataclass

import numpy as np
import pytest
from sheet_tile import sheet_tile

from imagen_lit.basics.captioned_grid import GAP
from imagen_lit.data.prompts.prompt_sheet import COLUMNS, EDGE, prompt_sheet


@dataclass
class Words:
    prompts: list[str]
    seeds: list[int]


@dataclass
class WordsWithImages(Words):
    def true_images(self, size: int) -> np.ndarray:
        return np.stack([plain(200 + number, size) for number in range(len(self.prompts))])


def plain(level: int, size: int = 16) -> np.ndarray:
    return np.full((size, size, 3), level, np.uint8)


def drawn(count: int) -> np.ndarray:
    return np.stack([plain(number) for number in range(count)])


def test_every_image_is_above_its_true_image_and_its_prompt() -> None:
    prompts = WordsWithImages(["a cat", "a dog", "a bird"], [5, 6, 7])
    sheet = prompt_sheet(prompts, drawn(3))
    for number in range(3):
        for band, level in enumerate((number, 200 + number)):
            assert (np.asarray(sheet_tile(sheet, number, EDGE, band)) == level).all()
    below = np.asarray(sheet)[GAP + 2 * EDGE :]
    for number in range(3):
        x = GAP + number * (EDGE + GAP)
        assert (below[:, x : x + EDGE] != 255).any(), "something is written"


@pytest.mark.parametrize("change", ["prompt", "seed"])
def test_the_words_below_are_those_of_the_prompt(change: str) -> None:
    words, seeds = ["a cat", "a dog"], [5, 6]
    before = np.asarray(prompt_sheet(Words(words, seeds), drawn(2)))
    if change == "prompt":
        words = ["a cat", "a cow"]
    else:
        seeds = [5, 7]
    after = np.asarray(prompt_sheet(Words(words, seeds), drawn(2)))
    columns = np.nonzero((before != after).any((0, 2)))[0]
    rows = np.nonzero((before != after).any((1, 2)))[0]
    assert columns.min() >= EDGE + 2 * GAP and rows.min() >= EDGE + GAP, "only below the second"


def test_many_prompts_fill_rows() -> None:
    count = 2 * COLUMNS + 1
    sheet = prompt_sheet(Words(["a cat"] * count, list(range(count))), drawn(count))
    assert sheet.width == GAP + COLUMNS * (EDGE + GAP) and sheet.height > 3 * EDGE
