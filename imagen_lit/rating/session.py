"""One rater's way through a study: the question now, the images, an answer, the last one taken
back.

What a rater sees follows from the rater's number and the votes in the database, and from nothing
that a page or a server remembers: after a reload it goes on where it was.
"""

from functools import cached_property
from typing import Any

from imagen_lit.rating.rater_order import Step, steps
from imagen_lit.rating.served_image import encode
from imagen_lit.rating.study import Study
from imagen_lit.rating.trial import Trial

LONGEST = 86400.0  # seconds of an answer; beyond, the clock was wrong


class Session:
    """The page of one rater. Images are numbered by step, side and place, so that an address says
    nothing of the system."""

    def __init__(self, study: Study, rater: int) -> None:
        self.study, self.rater = study, rater

    @cached_property
    def steps(self) -> list[Step]:
        """All that the rater is asked, in order."""
        facts = self.study.facts
        return steps(self.study.trials, self.rater, facts["seed"], facts["prompts"])

    @cached_property
    def positions(self) -> dict[int, int]:
        """The place of each trial in the rater's order."""
        trials = dict.fromkeys(step.trial for step in self.steps)
        return {trial: position for position, trial in enumerate(trials)}

    def state(self) -> dict[str, Any]:
        """The first question without an answer; none where all are answered."""
        answers = self.study.database.answers(self.rater)
        number = next((n for n in range(len(self.steps)) if n not in answers), len(self.steps))
        state = {"step": number, "steps": len(self.steps), "trials": len(self.positions)}
        if number == len(self.steps):
            return state | {"trial": len(self.positions), "question": None}
        step, trial = self.steps[number], self._trial(number)
        question = trial.questions[step.question]
        return state | {
            "trial": self.positions[step.trial],
            "sets": self._addresses(number),
            "question": question.parts(trial.prompt),
            "hint": question.hint,
            "answers": [answer.words for answer in question.answers],
            "next": self._next(number),
        }

    def answer(self, number: int, answer: int, seconds: float | None) -> bool:
        """Put an answer on the disk; False where there is no such step or answer."""
        if not 0 <= number < len(self.steps):
            return False
        step = self.steps[number]
        if not 0 <= answer < len(self._trial(number).questions[step.question].answers):
            return False
        is_sane = seconds is not None and 0 <= seconds <= LONGEST
        self.study.database.record(self.rater, number, step, answer, seconds if is_sane else None)
        return True

    def take_back(self, number: int) -> None:
        """Forget the answer to a step."""
        self.study.database.take_back(self.rater, number)

    def image(self, number: int, side: int, place: int) -> bytes | None:
        """An image of a step, as PNG; None where there is no such one."""
        if not 0 <= number < len(self.steps) or not 0 <= side < len(self.steps[number].places):
            return None
        pictures = self._trial(number).sets[self.steps[number].places[side]]
        if not 0 <= place < len(pictures.files):
            return None
        file = self.study.file(pictures, place)
        return encode(file, self.study.facts["edge"], pictures.is_spoilt)

    def _trial(self, number: int) -> Trial:
        return self.study.trials[self.steps[number].trial]

    def _addresses(self, number: int) -> list[list[str]]:
        """For each side its images, under the number of the first step that shows them."""
        first = next(n for n in range(len(self.steps)) if self._looks(n) == self._looks(number))
        sets = (self._trial(number).sets[place] for place in self.steps[number].places)
        return [
            [f"image/{first}/{side}/{place}" for place in range(len(each.files))]
            for side, each in enumerate(sets)
        ]

    def _next(self, number: int) -> list[str]:
        """The images to fetch while the rater looks at these."""
        later = range(number + 1, len(self.steps))
        new = (n for n in later if self._looks(n)[1] and self._looks(n) != self._looks(number))
        step = next(new, None)
        return [] if step is None else [one for each in self._addresses(step) for one in each]

    def _looks(self, number: int) -> tuple[int, tuple[int, ...]]:
        """What a step shows: two steps with the same look the same."""
        return self.steps[number].trial, self.steps[number].places
