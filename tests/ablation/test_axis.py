"""An axis says what differs along it, or why it cannot be read."""

import pytest

from imagen_lit.ablation import axis
from imagen_lit.basics.errors import InputError

STAGES, ALLOWED = ["base"], ["base", "evaluate"]


def read(node: object) -> axis.Axis:
    return axis.read("weight", node, STAGES, ALLOWED, "a.yaml")


def test_a_list_of_values_sets_one_key() -> None:
    choices = read({"setting": "guidance.weight", "values": [1, 1.5, True, None]}).choices
    assert [each.label for each in choices] == ["1", "1.5", "true", "null"]
    assert [dict(each.settings) for each in choices] == [
        {"guidance.weight": value} for value in (1, 1.5, True, None)
    ]
    assert {each.to for each in choices} == {("base",)}


def test_choices_set_several_keys_for_whom_they_say() -> None:
    node = {"to": ["evaluate"], "choices": {"none": {}, "both": {"a": 1, "b": 2}, "gone": None}}
    none, both = read(node).choices
    assert none.settings == {} and both.settings == {"a": 1, "b": 2}
    assert axis.settings([both], "evaluate") == {"a": 1, "b": 2}
    assert axis.settings([both], "base") == {}


def test_a_product_has_every_pair_and_the_last_axis_is_fastest() -> None:
    one, two = read({"setting": "a", "values": [1, 2]}), read({"setting": "b", "values": [3, 4]})
    pairs = [tuple(choice.label for choice in each) for each in axis.product([one, two])]
    assert pairs == [("1", "3"), ("1", "4"), ("2", "3"), ("2", "4")]
    assert list(axis.product([])) == [()], "a figure without axes has one point"


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"setting": "a", "values": []}, "has no values"),
        ({"setting": "a"}, "has no values"),
        ({"setting": "a", "values": [1, 1]}, "one of them twice"),
        ({"setting": "a", "values": [1, "1"]}, "one of them twice"),
        ({"setting": "a", "choices": {}}, "Write either setting"),
        ({"setings": "a", "values": [1]}, "Write either setting"),
        ([1, 2], "Write either setting"),
        ({"setting": "a", "values": [1], "to": ["bsae"]}, r"did you mean base\?"),
    ],
)
def test_an_axis_that_says_nothing_is_refused(node: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as refusal:
        read(node)
    assert "a.yaml" in str(refusal.value) and "weight" in str(refusal.value)
