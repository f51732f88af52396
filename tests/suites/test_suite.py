"""The frozen suites: complete, nested, varied, in plain English, and the same for ever."""

import re
from collections import Counter
from itertools import product

import pytest

from imagen_lit.basics.errors import InputError
from imagen_lit.suites.near_duplicate import TOO_NEAR, Neighbours
from imagen_lit.suites.suite import COUNTS, FILES, digest, read
from imagen_lit.suites.suite_prompt import ABILITIES, DIFFICULTIES, SuitePrompt

DIGESTS = {"S": "60e70b2bdad05263", "M": "c3fb8241cbf9125e", "L": "389d8d59db69a7e3"}
ARTICLE = re.compile(r"\b(an?) (\w[\w-]*)", re.I)
SILENT = ("hour", "honest", "heir")  # take "an"
LIKE_YOU = ("uni", "use", "ukulele", "eu", "one", "once")  # take "a"
NUMBERS = (
    "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen"
)
AFTER_A_NUMBER = re.compile(rf"\b(?:{NUMBERS}|both) (?!of\b)([a-z]+)(?=[.,;]| and\b| on\b)", re.I)
PLURALS = "mice geese sheep postmen fishermen moose reindeer bison calves people".split()
OTHER_WORDS = ["hold", "facing", "in"]
RIGHT_SPELLING = [prompt for prompt in read("L") if prompt.ability != "misspelling"]


def texts(prompt: SuitePrompt) -> tuple[str, ...]:
    return prompt.prompt, prompt.look_for, prompt.question, prompt.answer


@pytest.mark.parametrize("name", FILES)
def test_a_frozen_suite_never_changes(name: str) -> None:
    """If it must, it is another version: raise VERSION, and keep the old files readable."""
    assert digest(read(name)) == DIGESTS[name]


@pytest.mark.parametrize("name", FILES)
def test_a_suite_has_its_count_and_no_prompt_twice(name: str) -> None:
    prompts = read(name)
    assert len(prompts) == COUNTS[name]
    assert len({prompt.id for prompt in prompts}) == len(prompts)
    assert len({prompt.prompt.casefold() for prompt in prompts}) == len(prompts)


def test_each_suite_begins_with_the_smaller_one() -> None:
    small, medium, large = map(read, "SML")
    assert small == medium[: len(small)] and medium == large[: len(medium)]


@pytest.mark.parametrize("name", FILES)
def test_abilities_and_difficulties_are_balanced(name: str) -> None:
    prompts = read(name)
    cells = Counter((prompt.ability, prompt.difficulty) for prompt in prompts)
    assert set(cells) == set(product(ABILITIES, DIFFICULTIES))
    even = len(prompts) / len(cells)
    assert all(0.5 * even <= count <= 1.5 * even for count in cells.values()), cells


@pytest.mark.parametrize("count", [11, 55, 220])
def test_any_first_part_is_balanced_over_the_abilities(count: int) -> None:
    counts = Counter(prompt.ability for prompt in read("L")[:count])
    assert set(counts) == set(ABILITIES) and max(counts.values()) - min(counts.values()) <= 1


def test_every_question_is_answered_in_few_words() -> None:
    for prompt in read("L"):
        assert prompt.question.endswith("?") and prompt.question[0].isupper(), prompt
        assert prompt.answer and not prompt.answer.endswith("."), prompt
        assert prompt.ability == "text" or len(prompt.answer.split()) <= 8, prompt
        assert prompt.look_for[0].isupper() and prompt.look_for.endswith("."), prompt


def test_not_all_answers_are_yes() -> None:
    answers = Counter(prompt.answer for prompt in read("L"))
    assert answers["yes"] < 0.15 * len(read("L")) and answers["no"] > 50


def test_no_two_prompts_of_the_suites_are_near_duplicates() -> None:
    seen = Neighbours()
    for prompt in read("L"):
        share, other = seen.nearest(prompt.meant)
        assert share < TOO_NEAR, f"{prompt.prompt!r} is too near to {other!r}"
        seen.add(prompt.meant)


def test_articles_fit_the_sound_of_the_next_word() -> None:
    for prompt in RIGHT_SPELLING:
        for text in texts(prompt):
            for article, word in ARTICLE.findall(text):
                word = word.lower()
                vowel = word.startswith(SILENT) or (
                    word[0] in "aeiou" and not word.startswith(LIKE_YOU)
                )
                is_letter = len(word) == 1 or word[0].isdigit() or word.startswith("x-")
                assert is_letter or (article.lower() == "an") == vowel, text


def test_nouns_after_a_number_are_plural() -> None:
    for prompt in RIGHT_SPELLING:
        for word in AFTER_A_NUMBER.findall(prompt.prompt):
            assert word.endswith("s") or word in PLURALS + OTHER_WORDS, prompt.prompt


def test_no_text_has_a_slip_of_the_keyboard() -> None:
    slip = re.compile(r"  | [,.;:?!](?![.)])|[{}]|\b(\w+) \1\b|,,|^\s|\s$")
    for prompt in read("L"):
        assert not any(slip.search(text) for text in texts(prompt)), prompt


def test_a_misspelling_is_counted_and_explained() -> None:
    for prompt in read("L"):
        if prompt.ability == "misspelling":
            assert prompt.difficulty == min(5, len(prompt.words)), prompt
            words = re.findall(r"[\w'-]+", prompt.prompt)
            assert all(wrong in words and wrong != meant for wrong, meant in prompt.words.items())
            assert not set(prompt.words) & set(prompt.meant.split())


def test_a_quoted_text_is_the_answer_and_sets_the_difficulty() -> None:
    for prompt in read("L"):
        if prompt.ability == "text":
            (quoted,) = re.findall('"(.+?)"', prompt.prompt)
            length = len(quoted.split())
            steps = (1, 2, 4, 7)
            assert prompt.answer == quoted
            assert prompt.difficulty == 1 + sum(length > step for step in steps), prompt


def test_a_rare_word_stands_in_the_prompt_with_its_gloss() -> None:
    for prompt in read("L"):
        if prompt.ability == "rare_word":
            assert prompt.words, prompt
            for word, gloss in prompt.words.items():
                stem = word.rstrip("e").casefold()
                assert stem in prompt.prompt.casefold() and gloss, prompt


def test_colours_asked_for_are_named_in_the_prompt() -> None:
    for prompt in read("L"):
        if prompt.ability == "colour" and prompt.question.startswith("What colour"):
            synonyms = {"red": ("red", "crimson")}.get(prompt.answer, (prompt.answer,))
            assert any(name in prompt.prompt.lower() for name in synonyms), prompt


def test_an_unknown_suite_is_refused_in_words() -> None:
    with pytest.raises(InputError, match=r"prompts\.name=XL is no suite: there are S, M and L"):
        read("XL")
