"""Whether what a preparation makes is there: shards, text caches, encoders, fetched files."""

from pathlib import Path

from imagen_lit.ablation.cell import Cell
from imagen_lit.basics import json_file

MANIFEST = "manifest.json"  # in <shards>.meta: every shard that there must be


def missing(cell: Cell) -> str | None:
    """What is not there yet; None if nothing is missing."""
    place = Path(cell.name)
    if cell.command == "build_shards":
        names = _shards(place)
        if names is None:
            return f"{place} has no manifest"
        lacking = [name for name in names if not (place / f"{name}.tar").is_file()]
        return f"{len(lacking)} of {len(names)} shards" if lacking else None
    if cell.command == "embed_text":
        names = _shards(Path(str(cell.settings["shards"])))
        there = {file.stem for file in place.glob("*") if not file.name.startswith(".")}
        lacking = [name for name in names or ["…"] if name not in there]
        return f"{len(lacking)} sidecars" if lacking else None
    if cell.command == "fetch" and "pictures" in cell.settings:  # it checks each package itself
        return None if any(place.glob("*.tgz")) else f"packages in {place}"
    if place.suffix or not place.is_dir():  # a file
        return None if place.is_file() else str(place)
    return None if (place / "config.json").is_file() else f"{place}/config.json"


def _shards(folder: Path) -> list[str] | None:
    """The names of all shards that a folder must have, by its finished manifest."""
    file = Path(f"{folder}.meta") / MANIFEST
    if not file.is_file():
        return None
    return sorted(json_file.read(file, "Remove it.").get("shards", {}))
