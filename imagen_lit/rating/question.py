"""What a rater is asked, with the answers to choose from."""

from dataclasses import dataclass
from typing import Literal

Subject = Literal["pair", "set", "caption"]  # two sets side by side, one set, or no image at all
CAPTION = "{caption}"  # stands for the prompt in a question's words


@dataclass(frozen=True)
class Answer:
    """`value` is what it counts as; None where it says that the question does not apply."""

    words: str
    value: float | None


@dataclass(frozen=True)
class Question:
    """Of a pair, the answers' values are those of the set on the left."""

    name: str
    words: str
    answers: tuple[Answer, ...]
    subject: Subject
    hint: str = ""

    def parts(self, prompt: str) -> tuple[str, str, str]:
        """The words before the caption, the caption, and those after; empty where it has none."""
        before, caption, after = self.words.partition(CAPTION)
        return before, prompt if caption else "", after


def scale(least: int, most: int) -> tuple[Answer, ...]:
    """Whole numbers, each counting as itself."""
    return tuple(Answer(str(number), float(number)) for number in range(least, most + 1))
