"""Whose choice a setting is, by the comment beside it in `conf/`.

# F.1                            the paper's, and where it says so
# ours: the paper names none     ours, and why
# 4 times embed_dim (ADM)        that of another work, where the paper is silent
# last share of the images       a description: whose choice it is, is not recorded
"""

import re
from dataclasses import dataclass
from enum import Enum

OURS = re.compile(r"\bours[:,]\s*")
YEAR = r"[A-Z][\w'-]+(?: & [A-Z][\w'-]+|(?:, [A-Z][\w'-]+)+| et al\.)?,? (?:19|20)\d\d[a-z]?"
PLACE = r"(?:§|eq\.|[Aa]pp\.|[Ff]igs?\.|Table) ?[\w.]*\w"
WORKS = re.compile(
    rf"\b(?:{YEAR}|Cascaded Diffusion|Imagen Video|DALL-E 2|ADM|optax|SR3|NeMo|DeepFloyd IF)"
    rf"(?:,? {PLACE})?"
)
PAPER = re.compile(
    r"§ ?\d+(?:\.\d+)*|\bApp\. [A-F](?:\.\d+)*|\bFigs?\. (?:A\.)?\d+[a-z]?|\bTable A?\.?\d+|"
    r"\b[A-F](?:\.\d+)+|\b[B-F]\b"
)


class Choice(Enum):
    """Whose it is."""

    PAPER = "paper"
    WORK = "another work"
    OURS = "ours"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Source:
    """`places`: of the paper, as far as the comment names them. `reason`: in its words."""

    choice: Choice
    places: tuple[str, ...] = ()
    reason: str = ""


UNKNOWN = Source(Choice.UNKNOWN)


def read(comment: str) -> Source:
    """What a comment says."""
    without_works = WORKS.sub("", comment)
    found = (match[0] for match in PAPER.finditer(without_works))
    places = tuple(dict.fromkeys(f"App. {each}" if len(each) == 1 else each for each in found))
    if ours := OURS.search(comment):
        return Source(Choice.OURS, places, comment[ours.end() :].rstrip(". "))
    if "others read" in comment:
        return Source(Choice.WORK, places, comment)
    if places:
        return Source(Choice.PAPER, places, comment)
    if WORKS.search(comment):
        return Source(Choice.WORK, (), comment.rstrip(". "))
    return Source(Choice.UNKNOWN, (), comment)
