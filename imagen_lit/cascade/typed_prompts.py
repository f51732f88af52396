"""The prompts that a person names: in words, in a file, or through a pipe.

prompts='a red circle'    prompts='["a red circle", "two pink crosses"]'
prompts=@mine.txt         the lines of a UTF-8 file that are not blank
prompts=-                 the same of standard input
"""

import sys
from pathlib import Path
from typing import Any

from imagen_lit.basics.errors import InputError
from imagen_lit.data import text_file

FILE, INPUT = "@", "-"
ADVICE = "Write a prompt on each line."


def captions(prompts: Any, processes: int = 1) -> list[str]:
    """A list of captions; one without any letter is the empty one, drawn without text. Standard
    input has them for one process alone."""
    if isinstance(prompts, str) and prompts == INPUT:
        return _of_input(processes)
    if isinstance(prompts, str) and prompts.startswith(FILE) and prompts != FILE:
        return _of_file(Path(prompts.removeprefix(FILE)))
    captions = [prompts] if isinstance(prompts, str) and prompts.strip() else prompts
    if not captions or not isinstance(captions, list):
        raise InputError(
            f"prompts={prompts!r} is not a list of captions. Set "
            "prompts='[\"a red circle above a blue square\"]', for example; "
            "prompts='[\"\"]' draws without text; prompts=@file.txt reads a file."
        )
    for place, prompt in enumerate(captions, 1):
        if isinstance(prompt, str) and _is_undecodable(prompt):
            raise InputError(
                f"prompts has {prompt!r} in place {place}, whose bytes are not UTF-8. Type it in a "
                "terminal that writes UTF-8, or convert the file that it comes from."
            )
        if not isinstance(prompt, str):
            raise InputError(
                f"prompts has {prompt!r} in place {place}, which is not a caption. "
                'Write captions in quotes: prompts=\'["a red circle", "two pink crosses"]\'.'
            )
    return [prompt if prompt.strip() else "" for prompt in captions]


def _of_file(file: Path) -> list[str]:
    if not file.is_file():
        raise InputError(
            f"prompts={FILE}{file}: there is no such file. Set prompts={FILE}... to a text file "
            f"with a prompt on each line; a prompt that begins with {FILE} stands in brackets."
        )
    text_file.refuse_other_text(file, "one prompt per line")
    return _lines(file.read_bytes(), str(file))


def _of_input(processes: int) -> list[str]:
    if processes > 1:
        raise InputError(
            f"prompts={INPUT} reads standard input, which {processes} processes would divide among "
            f"each other. Write the prompts into a file, and set prompts={FILE}file.txt."
        )
    if sys.stdin.isatty():
        print("a prompt on each line; Ctrl-D ends", file=sys.stderr)
    return _lines(sys.stdin.buffer.read(), "standard input")


def _lines(content: bytes, origin: str) -> list[str]:
    """Those with text, without blanks around it."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(
            f"{origin} is not UTF-8: line {line} has the byte {content[error.start]:#04x}. Convert "
            "it to UTF-8."
        ) from error
    prompts = [line.strip() for line in text.splitlines() if line.strip()]
    if not prompts:
        raise InputError(f"{origin} has no prompt. {ADVICE}")
    return prompts


def _is_undecodable(prompt: str) -> bool:
    """Bytes of the command line that were no UTF-8 are lone surrogates in Python."""
    return any("\ud800" <= letter <= "\udfff" for letter in prompt)
