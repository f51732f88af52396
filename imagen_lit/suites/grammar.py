"""A grammar of prompts: templates with slots, and the words that fill them, from a TOML file.

`[[difficulty.3]]` holds a template: `prompt`, `look_for`, `question` and `answer`, in which
`{beast1}` and `{beast2}` are two different words of the list `beast`. A list stands in `[words]` of
the file, or in words.toml for all; a word is a text, or a table with `text` and further fields
(`word.py` has what a slot can do). Fields `gloss` and `wrong` explain the word to the rater.
"""

import random
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from string import Formatter
from typing import Any

from imagen_lit.suites.suite_prompt import SuitePrompt
from imagen_lit.suites.word import Word

PARTS = ("prompt", "look_for", "question", "answer")


class Grammar:
    """The templates and words of one ability."""

    def __init__(self, ability: str) -> None:
        self.ability = ability
        file = _toml(ability)
        lists = _toml("words")["words"] | file.get("words", {})
        self.words = {name: [_word(entry) for entry in entries] for name, entries in lists.items()}
        self.templates: dict[str, list[dict[str, str]]] = file["difficulty"]

    def draw(self, difficulty: int, seed: str, identity: str) -> SuitePrompt:
        """A prompt; the same one for the same seed."""
        dice = random.Random(seed)
        template = _pick(dice, self.templates[str(difficulty)])
        words: dict[str, Word] = {}
        for slot in _slots(*(template[part] for part in PARTS)):
            entries = self.words[slot.rstrip("0123456789")]
            others = {word.text for word in words.values()}
            words[slot] = _pick(dice, [word for word in entries if word.text not in others])
        parts = {part: template[part].format_map(words) for part in PARTS}
        notes = _notes(words[slot] for slot in _slots(template["prompt"]))
        return SuitePrompt(identity, self.ability, difficulty, **parts, words=notes)


@cache
def grammar(ability: str) -> Grammar:
    """The grammar of an ability, read once."""
    return Grammar(ability)


def _toml(name: str) -> dict[str, Any]:
    file = resources.files("imagen_lit.suites") / "grammars" / f"{name}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


def _word(entry: str | Mapping[str, str]) -> Word:
    return Word(entry) if isinstance(entry, str) else Word(entry["text"], entry)


def _slots(*texts: str) -> list[str]:
    """Names of the slots, each once, in the order in which they occur."""
    fields = (field for text in texts for _, field, _, _ in Formatter().parse(text))
    return list(dict.fromkeys(field.partition(".")[0] for field in fields if field))


def _pick(dice: random.Random, entries: list[Any]) -> Any:
    """By random(), whose sequence Python promises to keep; that of choice() it does not."""
    return entries[int(dice.random() * len(entries))]


def _notes(words: Iterable[Word]) -> dict[str, str]:
    """For the rater: the right word of each wrong form, and the gloss of each rare word."""
    notes = {}
    for word in words:
        if "wrong" in word.fields:
            notes[word.fields["wrong"]] = word.text
        if "gloss" in word.fields:
            notes[word.text] = word.fields["gloss"]
    return notes
