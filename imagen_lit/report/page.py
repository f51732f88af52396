"""The pages that people look at: one file of HTML beside the images it shows, with relative links
only, so that a folder can be zipped and opened anywhere. Nothing is loaded from elsewhere, and no
script runs. What comes from a run is escaped here or by those who call.
"""

import os
import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from imagen_lit.basics.atomic import write_text

STYLE = Path(__file__).with_name("page.css").read_text()
MARK = '<meta name="generator" content="imagen_lit {}">'


def write(file: Path, kind: str, title: str, body: Iterable[str]) -> None:
    """Write the page of these pieces of HTML; `kind` says which page it is."""
    write_text(file, text(kind, title, body))


def text(kind: str, title: str, body: Iterable[str]) -> str:
    """The page of these pieces of HTML; half a character, which JSON may hold, becomes a mark."""
    whole = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{MARK.format(kind)}<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body>{''.join(body)}</body></html>\n"
    )
    return whole.encode(errors="replace").decode()


def is_kind(file: Path, kind: str) -> bool:
    """Whether a file is a page of this kind, which may be written anew."""
    with file.open(errors="replace") as handle:
        return MARK.format(kind) in handle.read(500)


def head(title: str, lead: str, links: Sequence[tuple[str, str]] = ()) -> str:
    """The title, a paragraph, and (address, words) of other pages."""
    others = " · ".join(f'<a href="{where}">{escape(words)}</a>' for where, words in links)
    return f"<h1>{escape(title)}</h1><p>{escape(lead)}</p>" + (f"<p>{others}</p>" if others else "")


def section(title: str, body: str, words: str = "") -> str:
    """A section with a sentence below its title."""
    soft = f'<p class="soft">{escape(words)}</p>' if words else ""
    return f"<h2>{escape(title)}</h2>{soft}{body}"


def figure(title: str, body: str) -> str:
    """A chart, or sheets of images, with a title."""
    return f"<figure><figcaption>{escape(title)}</figcaption>{body}</figure>"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of texts, in a box that scrolls by itself where the screen is narrow."""
    top = "".join(f"<th>{escape(each)}</th>" for each in heads)
    lines = "".join(
        f"<tr>{''.join(f'<td>{breakable(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f"<div class='wide'><table><tr>{top}</tr>{lines}</table></div>"


def breakable(text: str) -> str:
    """A key or a path that a narrow column breaks behind its dots and slashes, not inside words."""
    return re.sub(r"([./_](?=\w))", r"\1<wbr>", escape(text))


def image(file: Path, folder: Path, words: str, edge: int | None = None) -> str:
    """An image, loaded when it comes into view; `edge`: enlarged or reduced to so many pixels."""
    size = f' width="{edge}" height="{edge}"' if edge else ""
    return f'<img src="{address(file, folder)}"{size} loading="lazy" alt="{escape(words)}">'


def address(file: Path, folder: Path) -> str:
    """The address of a file on a page in `folder`."""
    relative = Path(os.path.relpath(file, folder)).as_posix()
    return escape(quote(os.fsencode(relative)))
