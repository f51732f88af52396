"""A tiny world for the data tests: pictures whose colour and caption follow from their number."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from imagen_lit.data import shard, sidecar

WIDTH = 4


def jpeg(number: int, edge: int = 32) -> bytes:
    """A picture of smooth colour, different for every number."""
    steps = np.linspace(0, 1, edge)
    picture = np.zeros((edge, edge, 3))
    picture[..., 0] = (number * 37 % 256) * steps[:, None]
    picture[..., 1] = (number * 101 % 256) * steps[None, :]
    picture[..., 2] = number * 53 % 256
    file = io.BytesIO()
    Image.fromarray(picture.astype(np.uint8)).save(file, "JPEG", quality=95)
    return file.getvalue()


def sample(number: int, **changes: Any) -> dict[str, Any]:
    known = {
        "key": f"{number:06d}",
        "image": jpeg(number),
        "extension": "jpg",
        "caption": f"picture {number}" + " of a thing" * (number % 3),
        "known": {"number": number},
    }
    return known | changes


def embedding(caption: str) -> torch.Tensor:
    """A stand-in for an encoder: one vector per word, exact in bfloat16."""
    return torch.tensor([[float(len(word))] * WIDTH for word in caption.split()])


def add_text(folder: Path, name: str = "fake") -> Path:
    """Write the sidecars of a folder of shards."""
    text = sidecar.folder(folder, name)
    for path in sorted(folder.glob("*.tar")):
        opened = shard.Shard(path)
        rows = [embedding(opened.caption(row)) for row in range(len(opened))]
        fields = {**sidecar.wanted(opened), "stored": "float32", "encoder.encoder": name}
        sidecar.write(text / f"{path.stem}.safetensors", rows, fields)
    return text


class Source:
    """What `build_shards` asks of a source; it travels to other processes."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> dict[str, Any]:
        return sample(number)

    def state(self) -> None:
        return None
