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

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from imagen_lit.data import quantised, sidecar_header
from imagen_lit.data.aside import aside
from imagen_lit.data.shard import Shard

COMMAND = "python -m imagen_lit.embed_text"


class Sidecar:
    """One file, open for reading."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise FileNotFoundError(f"The text embeddings {path} are missing.")
        self._descriptor = os.open(path, os.O_RDONLY)
        self.fields, header, start = sidecar_header.read(self._descriptor, path)
        tokens, self.width = header["embeddings"]["shape"]
        self._dtype = getattr(torch, self.fields["stored"])
        self._starts = {name: start + entry["data_offsets"][0] for name, entry in header.items()}
        self._offsets = self._numbers("offsets", header["offsets"]["shape"][0], np.int64)
        first, last = self._offsets[0], self._offsets[-1]
        if first or last != tokens or (self._offsets[1:] < self._offsets[:-1]).any():
            raise ValueError(f"{path} has rows that lie outside it: {sidecar_header.CURE}")
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
        data = self._bytes((last - first) * each, start)
        found = torch.frombuffer(data, dtype=self._dtype).view(-1, self.width)
        if self._dtype != torch.int8:
            return found
        token = torch.from_numpy(self._numbers("token", last - first, np.float32, first))
        return quantised.restored(found, token, self._channel).bfloat16()

    def _numbers(self, name: str, count: int, dtype: type, first: int = 0) -> np.ndarray:
        each = np.dtype(dtype).itemsize
        start = self._starts[name] + first * each
        return np.frombuffer(self._bytes(count * each, start), dtype)

    def _bytes(self, count: int, start: int) -> bytearray:
        data = bytearray(os.pread(self._descriptor, count, start))
        if len(data) != count:
            raise sidecar_header.CutShort(
                f"{self.path} was cut short while it was read, at byte {start}."
            )
        return data


def wanted(shard: Shard) -> dict[str, str]:
    """What a header must say for its rows to be those of this shard's captions."""
    return {
        "format": sidecar_header.FORMAT,
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


def kind(fields: Mapping[str, str]) -> dict[str, str]:
    """What all files of one folder have in common: the encoder, and how its answers are stored."""
    return {n: said for n, said in fields.items() if n.startswith("encoder.") or n == "stored"}


def encoder(kind: Mapping[str, str]) -> dict[str, str]:
    return {n.removeprefix("encoder."): said for n, said in kind.items() if n != "stored"}


def row_bytes(tokens: float, width: int, stored: str) -> float:
    """Disk that a row takes: its tokens, their scales in int8, and its offset."""
    each = getattr(torch, stored).itemsize * width + (4 if stored == "int8" else 0)
    return tokens * each + 8


def command(shards: Path, text: Path) -> str:
    """What makes the sidecars in the folder `text`; one elsewhere may have any name."""
    if text == folder(shards, text.name):
        return f"{COMMAND} shards={shards} text={text.name}"
    return f"{COMMAND} shards={shards} text=<encoder> folder={text}"


def open_checked(path: Path, shard: Shard) -> Sidecar:
    """The sidecar at `path`, provided that it belongs to this very shard."""
    cure = command(shard.path.parent, path.parent)
    try:
        sidecar = Sidecar(path)
    except (FileNotFoundError, ValueError) as error:
        raise type(error)(f"{error} To make it, type: {cure}") from error
    different = differences(sidecar.fields, wanted(shard))
    if len(sidecar) != len(shard):
        different = different or f"{len(sidecar)} rows for {len(shard)} samples"
    if different:
        raise ValueError(
            f"{path} holds the text of other samples than {shard.path}: {different}. "
            f"Delete {path}, then type: {cure}"
        )
    return sidecar


def folder(shards: Path, encoder: str) -> Path:
    """Where the sidecars of a folder of shards lie, unless told otherwise."""
    named = shards if shards.name.strip(".") else shards.resolve()  # "." and ".." have no name
    return named.with_name(named.name + ".text") / encoder


def place(shards: Path, text: str) -> Path:
    """Where the sidecars are that are called `text`: those of that encoder beside the shards, or
    those in a folder, which may have a name of one part too."""
    beside = folder(shards, text)
    one_part = len(Path(text).parts) == 1
    return beside if one_part and (beside.is_dir() or not Path(text).is_dir()) else Path(text)


def write(path: Path, rows: Sequence[torch.Tensor], fields: Mapping[str, str]) -> dict[str, float]:
    """Write one row [tokens, D] per sample; `fields` are the header's, `stored` among them.

    In int8 the error is measured, written into the header and returned.
    """
    width = rows[0].shape[1] if rows else 0
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
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
    said = dict(fields) | {f"error.{k}": f"{v:.6g}" for k, v in measured.items()}
    places = sidecar_header.layout(fields["stored"], len(rows), int(offsets[-1]), width)
    with aside(path) as file:
        file.write(sidecar_header.text(said, places))
        for name in places:
            for part in tensors[name]:
                file.write(part.contiguous().view(torch.uint8).numpy().tobytes())
    return measured
