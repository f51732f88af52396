"""Scenes of the shapes world, drawn once for all of its tests."""

import pytest

from imagen_lit.data.source.shapes import Shapes


@pytest.fixture(scope="session")
def examples() -> list[tuple[dict, str]]:
    """Many training scenes with their captions, not rendered."""
    source = Shapes(6000, size=16, seed=3)
    return [source.describe(number) for number in range(len(source))]
