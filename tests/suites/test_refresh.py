"""The refreshed part: a function of the seed, far from what is frozen."""

from collections import Counter
from itertools import product

import pytest

from imagen_lit.suites import refresh
from imagen_lit.suites.near_duplicate import TOO_NEAR, Neighbours
from imagen_lit.suites.refresh import fresh_prompts
from imagen_lit.suites.suite import digest, read
from imagen_lit.suites.suite_prompt import ABILITIES, DIFFICULTIES, SuitePrompt

DIGEST = "48c908a535db52c3"  # of 100 prompts by seed 1


@pytest.fixture(scope="module")
def large() -> list[SuitePrompt]:
    return fresh_prompts(2000, 7)


def test_the_same_seed_gives_the_same_prompts() -> None:
    assert fresh_prompts(60, 3) == fresh_prompts(60, 3)


def test_the_prompts_of_a_seed_are_the_same_on_every_machine() -> None:
    assert digest(fresh_prompts(100, 1)) == DIGEST


def test_another_seed_gives_other_prompts(large: list[SuitePrompt]) -> None:
    others = {prompt.prompt for prompt in fresh_prompts(400, 8)}
    shared = others & {prompt.prompt for prompt in large[:400]}
    assert len(shared) < 0.02 * len(others)


def test_a_smaller_suite_begins_the_larger_one(large: list[SuitePrompt]) -> None:
    assert fresh_prompts(100, 7) == large[:100]


def test_refreshed_prompts_are_balanced(large: list[SuitePrompt]) -> None:
    cells = Counter((prompt.ability, prompt.difficulty) for prompt in large)
    assert set(cells) == set(product(ABILITIES, DIFFICULTIES))
    assert max(cells.values()) - min(cells.values()) <= 1


def test_refreshed_prompts_are_far_from_the_frozen_and_from_each_other(
    large: list[SuitePrompt],
) -> None:
    seen = Neighbours([prompt.meant for prompt in read("L")])
    for prompt in large:
        share, other = seen.nearest(prompt.meant)
        assert share < TOO_NEAR, f"{prompt.prompt!r} is too near to {other!r}"
        seen.add(prompt.meant)


def test_no_identity_is_used_twice(large: list[SuitePrompt]) -> None:
    identities = [prompt.id for prompt in [*large, *read("L"), *fresh_prompts(100, 8)]]
    assert len(set(identities)) == len(identities)


def test_a_draw_that_is_near_to_a_taken_one_is_thrown_away() -> None:
    taken = Neighbours()
    first = refresh.fresh_prompt(taken, "colour", 3, "seed", "a")
    second = refresh.fresh_prompt(taken, "colour", 3, "seed", "b")
    assert first.prompt != second.prompt
