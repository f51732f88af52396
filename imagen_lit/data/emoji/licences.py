"""Who made the pictures, from which packages they come, and what their licences ask for."""

from imagen_lit.data.emoji.artist import ARTISTS, NAMES, NAMES_LICENCE

INTRODUCTION = """# Licences of these pictures

These pictures were drawn on this machine from packages that it fetched itself. Whoever passes on
the shards, or shows pictures from them, names the artists as below. Of CC BY-SA, what is adapted
from a picture may only be passed on under the same licence. What a model has learnt from them is
not settled by these licences; name the artists beside what it draws.
"""
HEAD = """| pictures | artist | licence | in captions | package | version |
|---|---|---|---|---|---|
"""
CHANGES = "Changed: put on white, drawn at one size, and given an English caption.\n"


def text() -> str:
    """The content of LICENCES.md."""
    rows = "".join(
        f"| {each.work} | {each.name} | {each.licence} | {each.style} | "
        f"`{each.package.package}` | {each.package.version} |\n"
        for each in ARTISTS.values()
    )
    names = f"| (names) | {NAMES_LICENCE.split(', by ')[1]} | {NAMES_LICENCE.split(', ')[0]} | "
    names += f"the thing | `{NAMES.package}` | {NAMES.version} |\n"
    return "\n".join([INTRODUCTION, HEAD + rows + names, CHANGES])
