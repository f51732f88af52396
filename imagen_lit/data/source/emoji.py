"""Pictures of emoji by four artists as a source: the same things in four styles, with captions, and
parts of them that training never sees (imagen_lit/data/emoji). docs/emoji.md"""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from imagen_lit.basics import arguments
from imagen_lit.basics.atomic import write_text
from imagen_lit.basics.errors import InputError
from imagen_lit.data.emoji import label, licences, picture, sheet, split
from imagen_lit.data.emoji.artist import ARTISTS, NAMES, NAMES_FILE, PACKAGES, STYLES, Pictures
from imagen_lit.data.emoji.label import Label
from imagen_lit.data.source.sample import sample

FETCH = "python -m imagen_lit.fetch pictures=emoji"


class Content(NamedTuple):
    """What the packages hold."""

    labels: dict[str, Label]
    pictures: dict[str, Pictures]  # by artist


class Emoji:
    """The pictures in a folder of `packages`, which `fetch` has filled, drawn at `size`. `parts`
    are sources: `train`, `pairs`, `concepts`."""

    def __init__(self, packages: str, size: int = 256) -> None:
        arguments.whole_number("source.size", size, 16)
        if size > picture.LARGEST:
            raise InputError(
                f"source.size={size} is larger than {picture.LARGEST}. Set it to less."
            )
        self.packages, self.size = Path(packages), size

    def parts(self) -> dict[str, "Part"]:
        """The sources by name; training takes the first alone. Refused without the packages, or
        without what draws them."""
        missing = [each.name for each in PACKAGES if not (self.packages / each.name).is_file()]
        if missing:
            raise InputError(
                f"{self.packages} lacks {', '.join(missing)}. Fetch them with: {FETCH} "
                f"folder={self.packages}"
            )
        picture.renderer()
        return {name: Part(self, name) for name in split.PARTS}

    def credits(self, folder: Path) -> None:
        """Write who made the pictures, and a sheet of some of them, beside the shards."""
        write_text(folder / "LICENCES.md", licences.text())
        sheet.write(folder / "sheet.png", self.content().pictures, self.content().labels)

    def content(self) -> Content:
        """What the packages hold, read once in a process."""
        return _content(self.packages)

    def entries(self, part: str) -> Sequence[split.Entry]:
        """The pictures of a part, in a fixed order."""
        return _parts(self.packages)[part]


class Part:
    """One part of the pictures, a sample for each."""

    def __init__(self, emoji: Emoji, name: str) -> None:
        self.emoji, self.name = emoji, name

    def __getstate__(self) -> dict[str, Any]:
        return {"emoji": self.emoji, "name": self.name}

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, number: int) -> dict[str, Any]:
        entry = self._entries[number]
        artist, content = ARTISTS[entry.style], self.emoji.content()
        words = content.labels[entry.code].text
        image = picture.on_white(content.pictures[entry.style][entry.code], self.emoji.size)
        metadata = {
            "artist": artist.name,
            "licence": artist.licence,
            "work": artist.work,
            "concept": entry.concept,
            "style": artist.style,
            "label": words,
            "split": self.name,
        }
        caption = label.caption(words, artist.style)
        return {
            **sample(number, image, caption, metadata),
            "key": f"{entry.code}_{entry.style}",
        }

    def state(self) -> list[str]:
        """The packages by their content: they are pinned."""
        return [each.sha256 for each in PACKAGES]

    @cached_property
    def _entries(self) -> Sequence[split.Entry]:
        return self.emoji.entries(self.name)


@lru_cache(1)
def _content(packages: Path) -> Content:
    labels = label.read(NAMES.read(packages, lambda name: name == NAMES_FILE)[NAMES_FILE])
    pictures = {
        name: artist.pictures(artist.package.read(packages, artist.is_wanted))
        for name, artist in ARTISTS.items()
    }
    return Content(labels, pictures)


@lru_cache(1)
def _parts(packages: Path) -> dict[str, list[split.Entry]]:
    content = _content(packages)
    entries = (
        split.Entry(content.labels[code].concept, style, code)
        for style in STYLES
        for code in content.pictures[style]
        if code in content.labels
    )
    return split.split(entries, STYLES)
