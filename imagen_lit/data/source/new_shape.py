"""A few pictures of a shape that the shapes world does not have, as a source for fine-tuning."""

from imagen_lit.data.source.shapes import Shapes
from imagen_lit.shapes import new_shape


class NewShape(Shapes):
    """`count` pictures at `size` pixels of the new shape, called `word` in their captions; picture
    i is a function of (seed, i)."""

    def __init__(self, count: int, size: int, seed: int, word: str) -> None:
        super().__init__(count, size, seed)
        new_shape.refuse_known_word(word)
        self.word = word

    def describe(self, number: int) -> tuple[dict, str]:
        """The scene with this number and its caption, without rendering it."""
        if not 0 <= number < self.count:
            raise IndexError(f"scene number {number} is not in 0 to {self.count - 1}")
        return new_shape.picture(self.seed, number, self.word)
