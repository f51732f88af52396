"""The finer scale that reviewers of the paper asked for: every set by itself, from 1 to 10 for
alignment and fidelity; how hard the caption is to draw, before any image is seen; and what exactly
is right: counts, colours, relations, or what a prompt's own question asks for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from imagen_lit.basics import arguments
from imagen_lit.basics.errors import InputError
from imagen_lit.rating import pairing
from imagen_lit.rating.question import Answer, Question, scale
from imagen_lit.rating.system import PromptImages, System
from imagen_lit.rating.trial import Trial

DIFFICULTY = Question(
    "difficulty",
    "How hard is this caption to draw: {caption}?",
    scale(1, 10),
    "caption",
    "1: a child could draw it · 10: hardly anybody could",
)
ALIGNMENT = Question(
    "alignment",
    "How much of the caption do these images show: {caption}?",
    scale(1, 10),
    "set",
    "1: nothing of it · 10: all of it, in every image",
)
FIDELITY = Question(
    "fidelity",
    "How good are these images, whatever they show?",
    scale(1, 10),
    "set",
    "1: broken, blurred or full of errors · 10: flawless",
)
ANSWERS = (
    Answer("yes, in most images", 1.0),
    Answer("partly", 0.5),
    Answer("no", 0.0),
    Answer("the caption names none", None),
)
SKILLS = {
    skill: Question(skill, f"Are the {skill} as in the caption: {{caption}}?", ANSWERS, "set")
    for skill in ("counts", "colours", "relations")
}
INSTRUCTIONS = (
    "You will see the words that images were drawn for, and then sets of images, one at a time.",
    "First say how hard the words are to draw. Then judge each set by itself, on the whole scale.",
    "The sets come from different programs; they do not need to get the same points.",
)


@dataclass(frozen=True)
class Fine:
    """Scores of each system; the skills are asked for where a prompt brings no question."""

    images: int = 8
    skills: tuple[str, ...] = tuple(SKILLS)
    name: str = "fine"
    instructions: tuple[str, ...] = INSTRUCTIONS

    def __post_init__(self) -> None:
        arguments.whole_number("rating.images", self.images, 1)
        if unknown := [each for each in self.skills if each not in SKILLS]:
            raise InputError(
                f"rating.skills has {unknown[0]!r}, which is none of {', '.join(SKILLS)}. "
                f"Set rating.skills='[{', '.join(SKILLS)}]', or leave some out."
            )

    def trials(self, systems: Sequence[System], seed: int) -> list[Trial]:
        """A trial for each prompt that all systems drew."""
        return [
            Trial(
                prompt,
                pairing.category(systems, prompt),
                pairing.picture_sets(systems, prompt, self.images),
                (DIFFICULTY, ALIGNMENT, FIDELITY, *self._details(systems, prompt)),
            )
            for prompt in pairing.common_prompts(systems)
        ]

    def _details(self, systems: Sequence[System], prompt: str) -> list[Question]:
        sets = (system.sets[prompt] for system in systems)
        own = next((each for each in sets if each.question and each.answer), None)
        return [_own(own)] if own else [SKILLS[skill] for skill in self.skills]


def _own(images: PromptImages) -> Question:
    """A prompt's question, whose answer the images show or do not show."""
    words = f"{images.question} Right is: {images.answer}. Is it so in most of these images?"
    answers = (Answer("yes", 1.0), Answer("no", 0.0), Answer("cannot tell", None))
    return Question("own question", words, answers, "set")
