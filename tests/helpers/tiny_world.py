"""A tiny world for the data tests: images whose colour and caption follow from their number."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from imagen_lit.data import sidecar
from imagen_lit.data.shard_files import shard

WIDTH = 4


def jpeg(number: int, edge: int = 32) -> bytes:
    """An image of smooth colour, different for every number."""
    steps = np.linspace(0, 1, edge)
    image = np.zeros((edge, edge, 3))
    image[..., 0] = (number * 37 % 256) * steps[:, None]
    image[..., 1] = (number * 101 % 256) * steps[None, :]
    image[..., 2] = number * 53 % 256
    file = io.BytesIO()
    Image.fromarray(image.astype(np.uint8)).save(file, "JPEG", quality=95)
    return file.getvalue()


def sample(number: int, **changes: Any) -> dict[str, Any]:
    values = {
        "key": f"{number:06d}",
        "image": jpeg(number),
        "extension": "jpg",
        "caption": f"picture {number}" + " of a thing" * (number % 3),
        "metadata": {"number": number},
    }
    return values | changes


def embedding(caption: str) -> torch.Tensor:
    """A stand-in for an encoder: one vector per word, exact in bfloat16."""
    return torch.tensor([[float(len(word))] * WIDTH for word in caption.split()])


def add_text(folder: Path, name: str = "fake") -> Path:
    """Write the sidecars of a folder of shards."""
    text = sidecar.default_folder(folder, name)
    for path in sorted(folder.glob("*.tar")):
        opened = shard.Shard(path)
        rows = [embedding(opened.caption(row)) for row in range(len(opened))]
        fields = {**sidecar.expected_fields(opened), "storage": "float32", "encoder.encoder": name}
        sidecar.write(text / f"{path.stem}.safetensors", rows, fields)
    return text


class Source:
    """A source for `build_shards`; it travels to other processes."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> dict[str, Any]:
        return sample(number)

    def state(self) -> None:
        return None
