"""What must be there before a stage can learn, and which command brings what is not.

The commands come in the order in which they have to be typed. Whether what is there also fits
together, its data say when they are opened.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import torch

from imagen_lit.data import sidecar
from imagen_lit.data.shard import meta


def lacking(
    shards: str | None,
    text: str,
    encoder: str,
    made_by: str | None,
    accelerator: str,
    previews: bool = False,
) -> list[str]:
    """Sentences, none when all is there. `shards` and `text` as `data.loader.Data` takes them,
    `encoder` is the folder of the weights, `made_by` the command that brings these; `previews` read
    prompts of their own."""
    data = _of_the_data(shards, text, encoder, made_by, previews)
    return [*data, *_of_the_machine(accelerator)]


def _of_the_data(
    shards: str | None, text: str, encoder: str, made_by: str | None, previews: bool
) -> Iterator[str]:
    if shards is not None and re.match(r"[\w+.-]+:|.*\.tar$", shards):
        return  # tars by their addresses, and no folder; who opens them says what is lacking
    folder = Path(shards or "<folder>")
    if not any(folder.glob("*.tar")) and (meta(folder) / "manifest.json").is_file():
        yield (
            f"the shards of {folder} are gone, and {meta(folder)} still tells of them: bring them "
            "back, or delete that folder and build them anew (docs/data.md)"
        )
    elif not any(folder.glob("*.tar")):
        named = "no shards are named" if shards is None else f"there are no shards in {folder}"
        then = ", then add data.shards=<folder>" if shards is None else ""
        yield (
            f"{named}: type python -m imagen_lit.build_shards folder={folder} "
            f"(the demo's pictures; for yours: docs/data.md){then}"
        )
    cache = sidecar.place(folder, text)
    cached = any(cache.glob("*.safetensors"))
    weights = made_by is None or (Path(encoder) / "config.json").is_file()
    if not weights and (previews or not cached):
        less = ", or callbacks=default to train without previews" if cached else ""
        yield f"the weights of the text encoder are not in {encoder}: type {made_by}{less}"
    if not cached:
        yield f"there are no text embeddings in {cache}: type {sidecar.command(folder, cache)}"


def _of_the_machine(accelerator: str) -> Iterator[str]:
    if accelerator in ("gpu", "cuda") and not torch.accelerator.is_available():
        yield (
            f"trainer.accelerator={accelerator}, and torch sees none here: go to a machine that "
            "has one, or type trainer=laptop scale=demo for what a laptop can do"
        )
