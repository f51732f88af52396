"""A grid shows every image, in order."""

import numpy as np

from imagen_lit.basics.image_grid import image_grid


def plain(*levels: int, edge: int = 4) -> np.ndarray:
    return np.stack([np.full((edge, edge, 3), level, np.uint8) for level in levels])


def levels(image: np.ndarray, edge: int) -> list[list[int]]:
    return image[edge // 2 :: edge, edge // 2 :: edge, 0].tolist()


def test_images_fill_rows_from_the_left() -> None:
    grid = np.asarray(image_grid(plain(1, 2, 3), columns=2, edge=8))
    assert levels(grid, 8) == [[1, 2], [3, 255]]


def test_a_grid_is_no_wider_than_its_images() -> None:
    assert image_grid(plain(1, 2), columns=12, edge=8).size == (16, 8)
    assert image_grid(plain(1, 2, edge=64), columns=12, edge=8).size == (16, 8)


def test_a_gap_is_between_images_and_not_around_them() -> None:
    grid = np.asarray(image_grid(plain(1, 2, 3, 4), columns=2, edge=8, gap=2))
    assert grid.shape[:2] == (18, 18)
    assert grid[0, 0, 0] == 1 and grid[17, 17, 0] == 4 and (grid[8:10] == 255).all()
