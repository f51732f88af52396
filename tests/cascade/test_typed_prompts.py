"""Prompts come from words, a file or a pipe, and what is no text is refused with its place."""

import io
import sys
from pathlib import Path

import pytest

from imagen_lit.basics.errors import InputError
from imagen_lit.cascade.typed_prompts import captions

TEXT = "\ufeffa red circle\r\n\n  два круга \n\t\n红色的圆"
WANTED = ["a red circle", "два круга", "红色的圆"]


def test_a_file_and_a_pipe_have_a_prompt_on_each_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_bytes(TEXT.encode())
    assert captions(f"@{tmp_path}/a.txt") == WANTED
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    assert captions("-") == WANTED
    assert captions(["-", "@home"]) == ["-", "@home"], "in a list they are captions"
    assert captions("@") == ["@"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is empty.*Write"),
        ("a\nb\nä".encode("latin-1"), r"not UTF-8: line 3 has the byte 0xe4\. Convert"),
        ("a red circle".encode("utf-16"), r"UTF-16.*Convert it"),
    ],
)
def test_a_file_without_text_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(InputError, match=message):
        captions(f"@{tmp_path}/a.txt")


def test_a_pipe_without_text_or_for_several_processes_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n")))
    with pytest.raises(InputError, match=r"^standard input has no prompt\. Write"):
        captions("-")
    with pytest.raises(InputError, match=r"4 processes would divide.*set prompts=@file\.txt"):
        captions("-", processes=4)
    with pytest.raises(InputError, match=r"no such file\. Set prompts=@"):
        captions("@nowhere.txt")
