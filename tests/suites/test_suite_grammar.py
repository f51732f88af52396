"""The grammars: words take articles and plurals, and every template can be filled."""

import re

import pytest

from imagen_lit.suites.grammar import grammar
from imagen_lit.suites.suite_prompt import ABILITIES, DIFFICULTIES
from imagen_lit.suites.word import Word


@pytest.mark.parametrize(
    ("word", "letter", "text"),
    [
        ("owl", "a", "an owl"),
        ("hourglass", "a", "an hourglass"),
        ("unicycle", "A", "A unicycle"),
        ("ewer", "a", "a ewer"),
        ("eel", "a", "an eel"),
        ("old ewer", "A", "An old ewer"),
        ("umbrella", "a", "an umbrella"),
        ("fox", "s", "foxes"),
        ("cherry", "S", "Cherries"),
        ("key", "s", "keys"),
        ("in the rain", "C", "In the rain"),
    ],
)
def test_a_word_takes_its_article_and_its_plural(word: str, letter: str, text: str) -> None:
    assert format(Word(word), letter) == text


def test_an_irregular_plural_is_a_field() -> None:
    assert f"{Word('goose', {'plural': 'geese'}):S}" == "Geese"


def test_a_field_is_a_word_too() -> None:
    word = Word("orrery", {"gloss": "old clock"})
    assert f"{word.gloss:A}" == "An old clock"


def test_a_field_that_a_word_lacks_is_a_bug() -> None:
    with pytest.raises(AttributeError, match="'owl' has no field gloss"):
        _ = Word("owl").gloss


@pytest.mark.parametrize("ability", ABILITIES)
def test_every_template_is_drawn_and_filled(ability: str) -> None:
    for difficulty in DIFFICULTIES:
        drawn = [grammar(ability).draw(difficulty, f"{number}", "x") for number in range(100)]
        texts = [f"{p.prompt} {p.look_for} {p.question} {p.answer}" for p in drawn]
        assert not any("{" in text or "}" in text for text in texts)
        assert len(set(texts)) > 50, f"{ability} {difficulty} repeats itself"


def test_slots_of_one_list_get_different_words() -> None:
    one = grammar("counting")
    for number in range(200):
        prompt = one.draw(4, f"{number}", "x").prompt.lower()
        for word in one.words["animal"]:
            assert len(re.findall(rf"\b{word:s}\b", prompt)) <= 1, prompt


def test_every_list_of_a_grammar_is_used() -> None:
    for ability in ABILITIES:
        one = grammar(ability)
        text = str(one.templates)
        own = [name for name in one.words if name not in grammar("text").words]
        assert all(f"{{{name}" in text for name in own), ability
