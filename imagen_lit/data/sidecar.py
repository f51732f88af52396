"""A text sidecar: the embeddings of one shard's captions, row by row, by one encoder.

A `.safetensors` file of `embeddings` [all tokens, D] without padding, and `offsets` [n + 1]: row i
is embeddings[offsets[i] : offsets[i + 1]]. In int8 (`quantisation`) there are also the scales
`token` [all tokens] and `channel` [D], and the header holds the measured error. The header says
which samples the rows belong to (their number, `keys_sha256`, `captions_sha256`) and which encoder
made them (each field as `encoder.<field>`). Files of one encoder are in one folder under the names
of their shards, and `differences` says whether a file is the expected one.

Written and read here by hand, because the library's header order varies, and the same captions
should give the same bytes; and because rows are read individually, by `pread`.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from imagen_lit.basics.atomic import atomic_write
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.settings_diff import settings_diff
from imagen_lit.data import quantisation, sidecar_header
from imagen_lit.data.shard_files.shard import Shard

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
        self._dtype = getattr(torch, self.fields["storage"])
        self._starts = {name: start + entry["data_offsets"][0] for name, entry in header.items()}
        self._offsets = self._numbers("offsets", header["offsets"]["shape"][0], np.int64)
        first, last = self._offsets[0], self._offsets[-1]
        if first or last != tokens or (self._offsets[1:] < self._offsets[:-1]).any():
            raise InputError(f"{path} has rows outside the file. {sidecar_header.FIX}")
        if "channel" in header:
            self._channel = torch.from_numpy(self._numbers("channel", self.width, np.float32))

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def row(self, row: int) -> torch.Tensor:
        """[tokens, D], in the precision of the file; int8 is returned as bfloat16."""
        first, last = int(self._offsets[row]), int(self._offsets[row + 1])
        if first == last:
            dtype = torch.bfloat16 if self._dtype == torch.int8 else self._dtype
            return torch.zeros(0, self.width, dtype=dtype)
        token_bytes = self.width * self._dtype.itemsize
        start = self._starts["embeddings"] + first * token_bytes
        data = self._bytes((last - first) * token_bytes, start)
        vectors = torch.frombuffer(data, dtype=self._dtype).view(-1, self.width)
        if self._dtype != torch.int8:
            return vectors
        token = torch.from_numpy(self._numbers("token", last - first, np.float32, first))
        return quantisation.restore(vectors, token, self._channel)

    def _numbers(self, name: str, count: int, dtype: type, first: int = 0) -> np.ndarray:
        size = np.dtype(dtype).itemsize
        return np.frombuffer(self._bytes(count * size, self._starts[name] + first * size), dtype)

    def _bytes(self, count: int, start: int) -> bytearray:
        data = bytearray(os.pread(self._descriptor, count, start))
        if len(data) != count:
            message = f"{self.path} was cut short while it was read, at byte {start}."
            raise sidecar_header.CutShort(message)
        return data


def expected_fields(shard: Shard) -> dict[str, str]:
    """What a header must say for its rows to belong to this shard's captions."""
    return {
        "format": sidecar_header.FORMAT,
        "samples": str(len(shard)),
        "keys_sha256": shard.index.keys_sha256,
        "captions_sha256": shard.index.captions_sha256,
    }


def differences(fields: Mapping[str, str], expected: Mapping[str, str]) -> str:
    """The `fields` of a file that are not as `expected`, in words; empty if all are."""
    keys = [name for name, value in expected.items() if fields.get(name) != value]
    return settings_diff(fields, expected, keys)


def kind(fields: Mapping[str, str]) -> dict[str, str]:
    """What all files of one folder have in common: the encoder, and the storage of its vectors."""
    return {k: v for k, v in fields.items() if k.startswith("encoder.") or k == "storage"}


def encoder_fields(kind: Mapping[str, str]) -> dict[str, str]:
    """What the header says of the encoder alone."""
    return {k.removeprefix("encoder."): v for k, v in kind.items() if k != "storage"}


def row_bytes(tokens: float, width: int, storage: str) -> float:
    """A row on disk: its vectors, their scales in int8, and its offset."""
    token_bytes = getattr(torch, storage).itemsize * width + (4 if storage == "int8" else 0)
    return tokens * token_bytes + 8


def command(shards: Path, text: Path) -> str:
    """The command that makes the sidecars in `text`; a folder elsewhere may have any name."""
    if text == default_folder(shards, text.name):
        return f"{COMMAND} shards={shards} text={text.name}"
    return f"{COMMAND} shards={shards} text=<encoder> folder={text}"


def open_checked(path: Path, shard: Shard) -> Sidecar:
    """The sidecar at `path`, provided that it belongs to this shard."""
    remedy = command(shard.path.parent, path.parent)
    try:
        sidecar = Sidecar(path)
    except (FileNotFoundError, InputError) as error:
        raise type(error)(f"{error} To make it, type: {remedy}") from error
    difference = differences(sidecar.fields, expected_fields(shard))
    if len(sidecar) != len(shard):
        difference = difference or f"{len(sidecar)} rows for {len(shard)} samples"
    if difference:
        raise InputError(
            f"{path} holds the text of other samples than the shard {shard.path}: "
            f"{difference}. Delete {path}, then type: {remedy}"
        )
    return sidecar


def default_folder(shards: Path, encoder: str) -> Path:
    """Where the sidecars of a folder of shards are, unless the config names another folder."""
    resolved = shards if shards.name.strip(".") else shards.resolve()  # "." and ".." have no name
    return resolved.with_name(resolved.name + ".text") / encoder


def find_folder(shards: Path, text: str) -> Path:
    """The folder of the sidecars that `text` names: an encoder, whose sidecars are beside the
    shards, or a folder, whose path may also be a single name."""
    beside = default_folder(shards, text)
    one_part = len(Path(text).parts) == 1
    return beside if one_part and (beside.is_dir() or not Path(text).is_dir()) else Path(text)


def write(path: Path, rows: Sequence[torch.Tensor], fields: Mapping[str, str]) -> dict[str, float]:
    """Write one row [tokens, D] per sample; `fields` are the header's, `storage` among them.

    In int8 the error of the rows as they will be read is measured, written into the header and
    returned.
    """
    width = rows[0].shape[1] if rows else 0
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    tensors: dict[str, list[torch.Tensor]] = {"offsets": [torch.from_numpy(offsets)]}
    errors: dict[str, float] = {}
    if fields["storage"] == "int8" and rows:
        channel = quantisation.channel_rms(rows)
        pairs = [quantisation.quantise(row, channel) for row in rows]
        restored = (quantisation.restore(*pair, channel) for pair in pairs)
        errors = quantisation.errors(rows, restored)
        tensors |= {"channel": [channel], "token": [token for _, token in pairs]}
        rows = [q for q, _ in pairs]
    tensors["embeddings"] = [row.to(getattr(torch, fields["storage"])) for row in rows]
    fields = dict(fields) | {f"error.{k}": f"{v:.6g}" for k, v in errors.items()}
    layout = sidecar_header.layout(fields["storage"], len(rows), int(offsets[-1]), width)
    with atomic_write(path) as file:
        file.write(sidecar_header.encode(fields, layout))
        for name in layout:
            for tensor in tensors[name]:
                file.write(tensor.contiguous().view(torch.uint8).numpy().tobytes())
    return errors
