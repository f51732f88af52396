"""A text sidecar: the embeddings of one shard's captions, row by row, for one encoder.

A `.safetensors` file of `embeddings` [all tokens, D] without padding, and `offsets` [n + 1]: row i
is embeddings[offsets[i] : offsets[i + 1]]. In int8 (`quantised`) there are also the scales `token`
[all tokens] and `channel` [D], and the header holds the error that was measured. The header says
what the rows are of: the samples (their number, `keys_sha256`, `captions_sha256`) and the encoder
(each field as `encoder.<field>`). Files of one encoder lie in one folder under the names of their
shards, and `differences` tells whether a file is the one wanted.

Written and read here by hand, which is a few lines for this format: the library orders its header
by chance, and the same captions should give the same bytes; and rows are read singly, by `pread`.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from imagen_lit.data import quantised
from imagen_lit.data.aside import aside
from imagen_lit.data.shard import Shard

COMMAND = "python -m imagen_lit.embed_text"
FORMAT = "imagen_lit sidecar 1"
STORED = {"bfloat16": "BF16", "float32": "F32", "int8": "I8"}  # torch's name -> the format's
KINDS = {getattr(torch, name): code for name, code in STORED.items()} | {torch.int64: "I64"}
LONGEST_HEADER = 1 << 20


class Sidecar:
    """One file, open for reading."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise FileNotFoundError(f"The text embeddings {path} are missing.")
        self._descriptor = os.open(path, os.O_RDONLY)
        header, start = self._header()
        self.fields: dict[str, str] = header.pop("__metadata__", {})
        if self.fields.get("format") != FORMAT:
            raise ValueError(f"{path} is not a file of text embeddings of ours.")
        end = start + max(entry["data_offsets"][1] for entry in header.values())
        if (size := os.fstat(self._descriptor).st_size) != end:
            raise ValueError(f"{path} was cut short: it has {size} bytes of {end}.")
        self.width = int(header["embeddings"]["shape"][1])
        self._dtype = getattr(torch, self.fields["stored"])
        self._starts = {name: start + entry["data_offsets"][0] for name, entry in header.items()}
        self._offsets = self._numbers("offsets", header["offsets"]["shape"][0], np.int64)
        if "channel" in header:
            self._channel = torch.from_numpy(self._numbers("channel", self.width, np.float32))

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def row(self, row: int) -> torch.Tensor:
        """[tokens, D], in the precision it is stored in; what was int8 comes as bfloat16."""
        first, last = int(self._offsets[row]), int(self._offsets[row + 1])
        if first == last:
            dtype = torch.bfloat16 if self._dtype == torch.int8 else self._dtype
            return torch.zeros(0, self.width, dtype=dtype)
        each = self.width * self._dtype.itemsize
        start = self._starts["embeddings"] + first * each
        data = bytearray(os.pread(self._descriptor, (last - first) * each, start))
        found = torch.frombuffer(data, dtype=self._dtype).view(-1, self.width)
        if self._dtype != torch.int8:
            return found
        token = torch.from_numpy(self._numbers("token", last - first, np.float32, first))
        return quantised.restored(found, token, self._channel).bfloat16()

    def _numbers(self, name: str, count: int, dtype: type, first: int = 0) -> np.ndarray:
        each = np.dtype(dtype).itemsize
        start = self._starts[name] + first * each
        return np.frombuffer(bytearray(os.pread(self._descriptor, count * each, start)), dtype)

    def _header(self) -> tuple[dict, int]:
        length = int.from_bytes(os.pread(self._descriptor, 8, 0), "little")
        text = os.pread(self._descriptor, min(length, LONGEST_HEADER), 8)
        try:
            return json.loads(text), 8 + length
        except ValueError as error:
            raise ValueError(f"{self.path} was cut short or is not a safetensors file.") from error


def wanted(shard: Shard) -> dict[str, str]:
    """What a header must say for its rows to be those of this shard's captions."""
    return {
        "format": FORMAT,
        "samples": str(len(shard)),
        "keys_sha256": shard.index.keys_sha256,
        "captions_sha256": shard.index.captions_sha256,
    }


def differences(found: Mapping[str, str], expected: Mapping[str, str]) -> str:
    """The fields that are not as expected, in words; empty if all are."""
    return ", ".join(
        f"{name} (file: {found.get(name, 'absent')}, wanted: {expected[name]})"
        for name in sorted(expected)
        if found.get(name) != expected[name]
    )


def row_bytes(tokens: float, width: int, stored: str) -> float:
    """Disk that a row takes: its tokens, their scales in int8, and its offset."""
    each = getattr(torch, stored).itemsize * width + (4 if stored == "int8" else 0)
    return tokens * each + 8


def open_checked(path: Path, shard: Shard) -> Sidecar:
    """The sidecar at `path`, provided that it belongs to this very shard."""
    shards, name = shard.path.parent, path.parent.name
    command = f"{COMMAND} shards={shards} text={name}"
    if path.parent != folder(shards, name):
        command += f" folder={path.parent}"
    try:
        sidecar = Sidecar(path)
    except (FileNotFoundError, ValueError) as error:
        raise type(error)(f"{error} To make it, type: {command}") from error
    if different := differences(sidecar.fields, wanted(shard)):
        raise ValueError(
            f"{path} holds the text of other samples than {shard.path}: {different}. "
            f"Delete {path.parent}, then type: {command}"
        )
    return sidecar


def folder(shards: Path, encoder: str) -> Path:
    """Where the sidecars of a folder of shards lie, unless told otherwise."""
    return shards.with_name(shards.name + ".text") / encoder


def write(path: Path, rows: Sequence[torch.Tensor], fields: Mapping[str, str]) -> dict[str, float]:
    """Write one row [tokens, D] per sample; `fields` are the header's, `stored` among them.

    In int8 the error is measured, written into the header and returned.
    """
    width = rows[0].shape[1] if rows else 0
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    # The offsets first: eight-byte numbers on an eight-byte boundary.
    tensors: dict[str, list[torch.Tensor]] = {"offsets": [torch.from_numpy(offsets)]}
    measured: dict[str, float] = {}
    if fields["stored"] == "int8" and rows:
        channel = quantised.loudness(rows)
        pairs = [quantised.quantise(row, channel) for row in rows]
        again = (quantised.restored(*pair, channel) for pair in pairs)
        measured = quantised.errors(rows, again)
        tensors |= {"channel": [channel], "token": [token for _, token in pairs]}
        rows = [q for q, _ in pairs]
    tensors["embeddings"] = [row.to(getattr(torch, fields["stored"])) for row in rows]
    shapes = {name: [sum(map(len, parts))] for name, parts in tensors.items()}
    shapes["embeddings"].append(width)
    header: dict[str, dict] = {
        "__metadata__": fields | {f"error.{k}": f"{v:.6g}" for k, v in measured.items()}
    }
    end = 0
    for name, parts in tensors.items():
        start, end = end, end + sum(part.nbytes for part in parts)
        dtype = KINDS[parts[0].dtype] if parts else STORED[fields["stored"]]
        header[name] = {"dtype": dtype, "shape": shapes[name], "data_offsets": [start, end]}
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with aside(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for parts in tensors.values():
            for part in parts:
                file.write(part.contiguous().view(torch.uint8).numpy().tobytes())
    return measured
