"""A prompt of the suites, with what a rater needs to judge an image of it."""

from dataclasses import asdict, dataclass, field
from typing import Any

ABILITIES = {  # ours, and the category of DrawBench that tests the same
    "colour": "Colors",
    "counting": "Counting",
    "conflict": "Conflicting",
    "invention": "DALL-E",
    "description": "Descriptions",
    "structure": "Gary Marcus et al.",
    "misspelling": "Misspellings",
    "position": "Positional",
    "rare_word": "Rare Words",
    "request": "Reddit",
    "text": "Text",
}
DIFFICULTIES = (1, 2, 3, 4, 5)  # docs/suites.md has the rule of each ability


@dataclass(frozen=True)
class SuitePrompt:
    """`look_for` says in a sentence what a right image shows; `question` and `answer` check one
    fact of it. `words` explains: a misspelt word by the meant one, a rare word by its gloss."""

    id: str
    ability: str
    difficulty: int
    prompt: str
    look_for: str
    question: str
    answer: str
    words: dict[str, str] = field(default_factory=dict)

    @property
    def meant(self) -> str:
        """The prompt with every misspelt word put right."""
        if self.ability != "misspelling":
            return self.prompt
        tokens = self.prompt.rstrip(".").split(" ")
        return " ".join(self.words.get(token, token) for token in tokens)

    def row(self) -> dict[str, Any]:
        """What a line of JSON holds of it."""
        row = asdict(self)
        return row if self.words else {key: row[key] for key in row if key != "words"}
