"""How often the images that a small CLIP never saw find their own captions, kept beside its
weights: one that hardly learnt gives numbers like any other."""

from pathlib import Path

from imagen_lit.basics import json_file
from imagen_lit.basics.atomic import write_json

FILE = "recall.json"
HARDLY = 4  # times chance: less is no learning


def is_hardly_any(share: float, among: int) -> bool:
    """Whether this share that finds its own caption is hardly more than by chance."""
    return share < HARDLY / among


def write(folder: Path, share: float, among: int) -> None:
    """Keep it in the encoder's folder."""
    write_json(folder / FILE, {"share": share, "among": among})


def weakness(folder: Path) -> str:
    """Why this encoder is no judge; empty for one that learnt, or of which nothing is known."""
    if not (folder / FILE).is_file():
        return ""
    known = json_file.read(folder / FILE, "Remove it.")
    share, among = known.get("share"), known.get("among")
    if not isinstance(share, int | float) or type(among) is not int or among < 1:
        return ""
    if not is_hardly_any(share, among):
        return ""
    return (
        f"it hardly learnt: {share:.1%} of unseen images find their own caption among {among}, and "
        f"{1 / among:.1%} would by chance"
    )
