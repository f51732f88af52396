"""Every prompt has a file name of its own, readable in its own script."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagen_lit.cascade.file_name import file_name

PROMPTS = [
    "a red circle",
    "a red circle!",
    "A red circle",
    "a-red-circle",
    "красный круг",
    "Красный круг",
    "синий квадрат",
    "",
    "without words",
    "without-words",
    "🟥",
    "🟦",
    "a red circle\nabove a blue square",
    'the word "cat"',
    "../../etc/passwd",
    "\x00",
    "x" * 10_000,
    "x" * 9_999,
    "круг " * 2_000,
    "a red circle above a blue square " * 4 + "on snow",
    "a red circle above a blue square " * 4 + "on sand",
    unicodedata.normalize("NFC", "é"),
    unicodedata.normalize("NFD", "é"),
]


def test_different_prompts_have_different_files_that_a_disk_accepts(tmp_path: Path) -> None:
    names = [file_name(prompt, 2**31) for prompt in PROMPTS]
    assert len(set(names)) == len(PROMPTS)
    for name in names:
        (tmp_path / f".{name}.{'h' * 64}.4194304.tmp").touch()  # as it is called while written
    assert len(list(tmp_path.iterdir())) == len(PROMPTS)


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("a red circle", "a-red-circle_seed7.png"),
        ("красный круг", "красный-круг_seed7.png"),
        ("κόκκινος κύκλος", "κόκκινος-κύκλος_seed7.png"),
        ("लाल वृत्त", "लाल-वृत्त_seed7.png"),
        ("红色的圆", "红色的圆_seed7.png"),
    ],
)
def test_if_possible_the_name_is_the_prompt(prompt: str, name: str) -> None:
    assert file_name(prompt, 7) == name


@given(st.text(), st.text())
def test_no_two_prompts_share_a_name_even_where_case_is_ignored(one: str, two: str) -> None:
    def on_disk(prompt: str) -> str:
        return unicodedata.normalize("NFD", file_name(prompt, 0)).lower()

    assert (on_disk(one) == on_disk(two)) == (one == two)
