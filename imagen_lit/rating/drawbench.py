"""The comparison of DrawBench (Imagen § 3 and appendix C): two sets side by side, two questions,
three answers to each. The paper shows eight images a set to 25 raters a category, and leaves no
rater out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from imagen_lit.basics import arguments
from imagen_lit.rating import pairing
from imagen_lit.rating.question import Answer, Question
from imagen_lit.rating.system import System
from imagen_lit.rating.trial import Trial

ANSWERS = (
    Answer("I prefer set A", 1.0),
    Answer("I am indifferent", 0.5),
    Answer("I prefer set B", 0.0),
)
QUALITY = Question("fidelity", "Which set of images is of higher quality?", ANSWERS, "pair")
ALIGNMENT = Question(
    "alignment",
    "Which set of images better represents the text caption: {caption}?",
    ANSWERS,
    "pair",
)
INSTRUCTIONS = (
    "You will see two sets of images, A and B, drawn for the same words by two programs.",
    "First say which set is of higher quality; then which one shows better what the words say.",
    "Judge the sets as wholes. If you cannot decide, say that you are indifferent.",
)


@dataclass(frozen=True)
class DrawBench:
    """Which set is preferred, by fidelity and by alignment."""

    images: int = 8
    against: str | None = None
    name: str = "drawbench"
    instructions: tuple[str, ...] = INSTRUCTIONS

    def __post_init__(self) -> None:
        arguments.whole_number("rating.images", self.images, 1)

    def trials(self, systems: Sequence[System], seed: int) -> list[Trial]:
        """A trial for each pair of systems and each prompt that both drew."""
        return [
            Trial(
                prompt,
                pairing.category(pair, prompt),
                pairing.picture_sets(pair, prompt, self.images),
                (QUALITY, ALIGNMENT),
            )
            for pair in pairing.pairs(systems, self.against)
            for prompt in pairing.common_prompts(pair)
        ]
