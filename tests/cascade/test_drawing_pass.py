"""The shape of a command's passes follows from all that it draws, and no pass is too large."""

import pytest
import torch
from tiny_run import Encoder

from imagen_lit.cascade.drawing_pass import DrawingPass


@pytest.mark.parametrize(
    ("images", "batch", "width"),
    [
        (1, 32, 1),
        (2, 32, 2),
        (3, 32, 4),
        (3, 2, 2),
        (3, 3, 2),
        (5, 7, 4),
        (36, 32, 20),
        (96, 32, 32),
    ],
)
def test_passes_are_as_few_as_the_batch_allows_and_evenly_wide(
    images: int, batch: int, width: int
) -> None:
    assert DrawingPass.of(Encoder(), ["a"] * images, batch) == DrawingPass(width, 9)


def test_no_pass_is_wider_than_the_batch_nor_much_wider_than_needed() -> None:
    for batch in range(1, 41):
        for images in range(1, 120):
            width = DrawingPass.of(Encoder(), ["a"] * images, batch).width
            assert width <= batch and (width in (1, 2) or width % 4 == 0)
            assert -(-images // width) * width < images + 4 * -(-images // width)


def test_rows_that_nobody_asked_for_repeat_the_last_and_texts_are_padded() -> None:
    shape = DrawingPass(4, 12)
    condition = shape.condition(Encoder(), ["a red circle", "", "a red circle"])
    assert condition.text.shape == (4, 12, 128) and condition.mask.shape == (4, 12)
    assert torch.equal(condition.text[0], condition.text[3]) and not condition.text[:, 9:].any()
    assert not condition.mask[1].any() and not condition.text[1].any(), "no text"
    assert condition.mask[0].tolist() == [True] * 9 + [False] * 3
    assert shape.fill([5, 6]) == [5, 6, 6, 6]
