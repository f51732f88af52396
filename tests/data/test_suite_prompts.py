"""The suites as a source of prompts: ids, abilities and seeds beside each prompt."""

from typing import Any

import pytest

from imagen_lit.basics.errors import InputError
from imagen_lit.data.prompts.source import Prompts
from imagen_lit.data.prompts.suite import SuitePrompts
from imagen_lit.suites.suite import COUNTS, read


@pytest.mark.parametrize("name", COUNTS)
def test_a_suite_is_a_source_of_prompts(name: str) -> None:
    source: Prompts = SuitePrompts(name, seed=5).of(None)
    assert source.prompts == [prompt.prompt for prompt in read(name)]
    assert source.seeds == list(range(5, 5 + COUNTS[name]))


def test_every_prompt_has_its_id_and_ability() -> None:
    source = SuitePrompts("S", count=20)
    known = {prompt.id: prompt for prompt in read("S")}
    assert len(source.prompts) == len(source.ids) == len(source.categories) == 20
    for text, identity, ability in zip(source.prompts, source.ids, source.categories, strict=True):
        assert (known[identity].prompt, known[identity].ability) == (text, ability)


def test_several_seeds_of_a_prompt_stand_together() -> None:
    source = SuitePrompts("S", count=3, seed=10, seeds_per_prompt=2)
    one, two, three = (prompt.id for prompt in read("S")[:3])
    assert source.ids == [one, one, two, two, three, three]
    assert source.seeds == [10, 11, 12, 13, 14, 15]


def test_a_refreshed_suite_holds_none_of_the_frozen_prompts() -> None:
    source = SuitePrompts("S", refresh=3)
    assert len(source.prompts) == COUNTS["S"]
    assert not set(source.prompts) & {prompt.prompt for prompt in read("L")}
    assert source.suite["part"] == "refreshed by 3"


def test_what_a_result_cites_tells_prompts_apart() -> None:
    kinds = [{}, {"name": "M"}, {"count": 99}, {"refresh": 1}, {"refresh": 2}]
    digests = {SuitePrompts(**kind).suite["digest"] for kind in kinds}
    assert len(digests) == len(kinds)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"name": "XL"}, "prompts.name=XL is no suite"),
        ({"count": 0}, "prompts.count=0 is not a whole number of 1 or more"),
        ({"refresh": -1}, "prompts.refresh=-1 is not a whole number of 0 or more"),
        ({"seeds_per_prompt": 0}, "prompts.seeds_per_prompt=0 is not a whole number"),
        ({"count": 101}, "prompts.count=101 is more than the 100 prompts of S"),
    ],
)
def test_wrong_settings_are_refused_in_words(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        SuitePrompts(**options)
