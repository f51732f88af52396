"""A text file that a person made, of captions or prompts: UTF-8, and not empty."""

import codecs
from pathlib import Path

from imagen_lit.basics.errors import InputError

HEAD = 4096  # bytes
MARKS = {  # UTF-32's first: it begins with UTF-16's
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def refuse_other_text(path: Path, content: str) -> None:
    """Raise if the file is empty, or in the encoding of some other program; `content` is what it
    should hold, in words. Single letters that are not UTF-8 are left to the reader."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if len(head) < HEAD and not head.strip(codecs.BOM_UTF8 + b" \t\r\n"):
        raise InputError(f"{path} is empty: it holds no text. Write {content} into it.")
    for mark, name in MARKS.items():
        if head.startswith(mark):
            raise InputError(
                f"{path} is {name}, by the byte-order mark at its start, and only UTF-8 is read. "
                "Convert it: save it as UTF-8."
            )
    if 4 * head.count(0) > len(head):
        raise InputError(
            f"{path} holds zero bytes, as UTF-16 and binary files do, and only UTF-8 text is read. "
            "Convert it: save it as UTF-8."
        )
