"""The protocol of the paper on COCO (Imagen § 3, Table 2): a generated image against the original.

Which of the two is more photorealistic; and, for each by itself, whether the caption describes it:
yes, somewhat or no, which count 100, 50 and 0. Control trials with a known answer are mixed in,
and raters with fewer than 80 % of them right are left out. Captions without people are reported
apart. What the paper's control trials showed is not printed; ours are an original against
itself in coarse blocks, and an original with the caption of another image.
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from imagen_lit.basics import arguments
from imagen_lit.rating import pairing
from imagen_lit.rating.question import Answer, Question
from imagen_lit.rating.system import System
from imagen_lit.rating.trial import PictureSet, Trial

PEOPLE = frozenset(
    "man men woman women person people child adult adults boy boys girl girls guy lady ladies "
    "someone toddler player workers spectators".split()
)
PHOTOREALISM = Question(
    "photorealism",
    "Which image is more photorealistic?",
    (Answer("Image A", 1.0), Answer("Image B", 0.0)),
    "pair",
)
ALIGNMENT = Question(
    "alignment",
    "Does the caption describe the image: {caption}?",
    (Answer("yes", 100.0), Answer("somewhat", 50.0), Answer("no", 0.0)),
    "set",
)
INSTRUCTIONS = (
    "Sometimes you will see two images: say which one looks more like a photograph.",
    "Sometimes you will see one image with a caption: say whether the caption describes it.",
    "Some of the images are photographs, others were drawn by a program.",
)
NO_PEOPLE = "no people"


@dataclass(frozen=True)
class Coco:
    """`original` names the system that holds the photographs; one trial in `controls` is a control,
    or none of null."""

    original: str = "original"
    controls: int | None = 10
    name: str = "coco"
    instructions: tuple[str, ...] = INSTRUCTIONS

    def __post_init__(self) -> None:
        if self.controls is not None:
            arguments.whole_number("rating.controls", self.controls, 2)

    def trials(self, systems: Sequence[System], seed: int) -> list[Trial]:
        """Photorealism for each generated image, alignment for every image, and the controls."""
        original = pairing.by_name(systems, self.original)
        trials, single_sets = [], {}
        for pair in pairing.pairs(systems, self.original):
            for prompt in pairing.common_prompts(pair):
                sets = pairing.picture_sets(pair, prompt, 1)
                trials.append(Trial(prompt, categories(prompt), sets, (PHOTOREALISM,)))
                for each in sets:
                    single_sets[prompt, each.system] = each
        for (prompt, _), each in single_sets.items():
            trials.append(Trial(prompt, categories(prompt), (each,), (ALIGNMENT,)))
        return trials + self._controls(original, trials, seed)

    def _controls(self, original: System, trials: Sequence[Trial], seed: int) -> list[Trial]:
        prompts = list(dict.fromkeys(trial.prompt for trial in trials))
        if self.controls is None:
            return []
        count = max(1, round(len(trials) / (self.controls - 1)))
        order = random.Random(f"controls {seed}").sample(prompts, len(prompts))
        chosen = [order[number % len(order)] for number in range(count)]
        return [
            self._control(original, prompt, prompts, number % 2 == 1 and len(prompts) > 1)
            for number, prompt in enumerate(chosen)
        ]

    def _control(
        self, original: System, prompt: str, prompts: Sequence[str], is_caption: bool
    ) -> Trial:
        real = PictureSet(original.name, original.sets[prompt].files[:1])
        if is_caption:
            return Trial(_most_different(prompt, prompts), (), (real,), (ALIGNMENT,), 0.0)
        blocks = PictureSet(original.name, real.files, is_spoilt=True)
        return Trial(prompt, (), (real, blocks), (PHOTOREALISM,), 1.0)


def words(prompt: str) -> set[str]:
    """The words of a caption, in lower case."""
    return set(re.findall(r"\w+", prompt.lower()))


def categories(prompt: str) -> tuple[str, ...]:
    """Whether it is one of the captions without people, by the paper's list of words (Table 2)."""
    return () if words(prompt) & PEOPLE else (NO_PEOPLE,)


def _most_different(prompt: str, prompts: Sequence[str]) -> str:
    """The caption that shares the fewest words with this one."""
    others = (other for other in prompts if other != prompt)
    return min(others, key=lambda other: (len(words(other) & words(prompt)), other))
