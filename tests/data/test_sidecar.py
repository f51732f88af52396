"""The text of a shard: read back exactly, by us and by the library, never taken for another's."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from tiny_world import add_text, sample

from imagen_lit.basics.errors import InputError
from imagen_lit.data import quantisation, sidecar, sidecar_header
from imagen_lit.data.loader import Data
from imagen_lit.data.shard_files import shard
from imagen_lit.data.shard_files.collection import Collection
from imagen_lit.run import preflight

FIELDS = {"format": sidecar_header.FORMAT, "storage": "float32", "encoder.encoder": "fake"}


def rows(*lengths: int, width: int = 6) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(length, width, generator=generator) for length in lengths]


@pytest.mark.parametrize("storage", ["float32", "bfloat16"])
def test_rows_read_back_as_they_were_written(tmp_path: Path, storage: str) -> None:
    vectors = rows(3, 0, 1, 7)
    sidecar.write(tmp_path / "0.safetensors", vectors, {**FIELDS, "storage": storage})
    opened = sidecar.Sidecar(tmp_path / "0.safetensors")
    assert len(opened) == 4
    for row, expected in enumerate(vectors):
        assert torch.equal(opened.row(row), expected.to(getattr(torch, storage)))


def test_the_library_reads_our_files(tmp_path: Path) -> None:
    vectors = rows(3, 1, 7)
    path = tmp_path / "0.safetensors"
    sidecar.write(path, vectors, {**FIELDS, "storage": "bfloat16"})
    tensors = load_file(path)
    assert torch.equal(tensors["embeddings"], torch.cat(vectors).bfloat16())
    assert tensors["offsets"].tolist() == [0, 3, 4, 11]
    with safe_open(path, "pt") as file:
        assert file.metadata() == {**FIELDS, "storage": "bfloat16"}


def test_a_shard_without_samples_has_a_sidecar_without_rows(tmp_path: Path) -> None:
    sidecar.write(tmp_path / "0.safetensors", [], FIELDS)
    assert len(sidecar.Sidecar(tmp_path / "0.safetensors")) == 0


def test_a_file_cut_anywhere_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "0.safetensors"
    sidecar.write(path, rows(3, 2), FIELDS)
    whole = path.read_bytes()
    for cut in [0, 5, 8, 100, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match="cut short"):
            sidecar.Sidecar(path)


def with_header(path: Path, header: object, body: bytes) -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)


def entry(header: dict, *keys: str) -> dict:
    for key in keys:
        header = header[key]
    return header


LIES = {
    "a list": lambda h: [1, 2],
    "deep": lambda h: b"[" * 100_000,
    "not utf-8": lambda h: b'{"__metadata__":{"\xff',
    "no fields": lambda h: h | {"__metadata__": 5},
    "fields that are no words": lambda h: entry(h, "__metadata__").update(samples=3),
    "no tensors": lambda h: [h.pop(name) for name in ("offsets", "embeddings")] and None,
    "no embeddings": lambda h: h.pop("embeddings") and None,
    "one tensor more": lambda h: h.update(more=h["offsets"]),
    "another type": lambda h: entry(h, "embeddings").update(dtype="I64"),
    "an unknown precision": lambda h: entry(h, "__metadata__").update(storage="load"),
    "another precision": lambda h: entry(h, "__metadata__").update(storage="bfloat16"),
    "int8 without scales": lambda h: entry(h, "__metadata__").update(storage="int8"),
    "endless offsets": lambda h: entry(h, "offsets").update(shape=[1 << 50]),
    "endless width": lambda h: entry(h, "embeddings").update(shape=[5, 1 << 40]),
    "a negative width": lambda h: entry(h, "embeddings").update(shape=[-5, -6]),
    "no shape": lambda h: entry(h, "embeddings").pop("shape") and None,
    "another place": lambda h: entry(h, "embeddings").update(data_offsets=[0, 120]),
}


def test_a_sidecar_of_an_earlier_version_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "0.safetensors"
    sidecar.write(path, rows(3, 2), FIELDS)
    whole = path.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    fields = header["__metadata__"] | {"format": "imagen_lit sidecar 1"}
    fields["stored"] = fields.pop("storage")
    with_header(path, header | {"__metadata__": fields}, whole[8 + length :])
    advice = rf"sidecar 1', not .*sidecar 2'\)\. Delete {tmp_path}, then embed the captions again"
    with pytest.raises(InputError, match=advice):
        sidecar.Sidecar(path)


@pytest.mark.parametrize("lie", LIES)
def test_a_false_header_is_refused_in_words(tmp_path: Path, lie: str) -> None:
    names_us = lie not in ("a list", "deep", "not utf-8", "no fields", "fields that are no words")
    path = tmp_path / "0.safetensors"
    sidecar.write(path, rows(3, 2), FIELDS)
    whole = path.read_bytes()
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    with_header(path, LIES[lie](header) or header, whole[8 + length :])
    message = "contradicts itself" if names_us else "not a text embedding file of imagen_lit"
    with pytest.raises(ValueError, match=f"{message}\\. Move it elsewhere or delete it") as error:
        sidecar.Sidecar(path)
    assert not isinstance(error.value, sidecar_header.CutShort)


@pytest.mark.parametrize("offsets", [[0, 1 << 40, 5], [0, -7, 5], [1, 3, 5], [0, 3, 4]])
def test_false_offsets_are_refused_in_words(tmp_path: Path, offsets: list[int]) -> None:
    path = tmp_path / "0.safetensors"
    sidecar.write(path, rows(3, 2), FIELDS)
    whole = path.read_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    lie = np.array(offsets, dtype=np.int64).tobytes()
    path.write_bytes(whole[:start] + lie + whole[start + len(lie) :])
    with pytest.raises(ValueError, match="rows outside the file"):
        sidecar.Sidecar(path)


def test_a_file_that_is_too_long_is_not_called_short(tmp_path: Path) -> None:
    path = tmp_path / "0.safetensors"
    sidecar.write(path, rows(3, 2), FIELDS)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ValueError, match="1 more than its header says"):
        sidecar.Sidecar(path)


class TestWrongText:
    """Each is noticed before the first step, in a sentence that says what to type."""

    def opened(self, folder: Path) -> None:
        Data(str(folder), "fake", size=8, batch_size=2, validation=0).setup()

    def test_missing_files_are_named_with_the_command(self, make: Callable[..., Path]) -> None:
        folder = make(2, 2)
        (folder.with_name("tiny.text") / "fake" / "00001.safetensors").unlink()
        command = f"python -m imagen_lit.embed_text shards={folder} text=fake"
        with pytest.raises(FileNotFoundError, match=f"00001.* are missing.* type: {command}$"):
            self.opened(folder)

    def test_text_of_other_captions_is_refused(self, make: Callable[..., Path]) -> None:
        folder = make(2, 2)
        shard.write(folder / "00001.tar", [sample(2), sample(3, caption="something else")])
        with pytest.raises(ValueError, match=r"text of other samples .* captions_sha256") as error:
            self.opened(folder)
        assert "keys_sha256" not in str(error.value)
        file = sidecar.default_folder(folder, "fake") / "00001.safetensors"
        assert f"Delete {file}, then type" in str(error.value), "and not all the others"

    def test_text_of_another_shard_is_refused(self, make: Callable[..., Path]) -> None:
        folder = make(2, 3)
        text = folder.with_name("tiny.text") / "fake"
        (text / "00000.safetensors").write_bytes((text / "00001.safetensors").read_bytes())
        with pytest.raises(ValueError, match=r"samples is '3' there, '2' here"):
            self.opened(folder)

    def test_text_of_two_encoders_is_refused(self, make: Callable[..., Path]) -> None:
        folder = make(2, 2)
        other = add_text(folder, "other")
        text = folder.with_name("tiny.text") / "fake"
        (other / "00001.safetensors").rename(text / "00001.safetensors")
        with pytest.raises(ValueError, match="mixes encoders"):
            self.opened(folder)

    def test_text_of_two_precisions_is_refused(self, make: Callable[..., Path]) -> None:
        folder = make(2, 2)
        path = folder.with_name("tiny.text") / "fake" / "00001.safetensors"
        opened = sidecar.Sidecar(path)
        vectors = [opened.row(row) for row in range(2)]
        sidecar.write(path, vectors, opened.fields | {"storage": "int8"})
        difference = r"00001.safetensors differs from 00000.safetensors: storage is 'int8' there"
        with pytest.raises(ValueError, match=difference + ", 'float32' here"):
            self.opened(folder)

    def test_a_file_of_another_format_is_refused(self, make: Callable[..., Path]) -> None:
        folder = make(2)
        path = folder.with_name("tiny.text") / "fake" / "00000.safetensors"
        sidecar.write(path, rows(1, 1), {**FIELDS, "format": "something"})
        with pytest.raises(ValueError, match="not a text embedding file of imagen_lit"):
            self.opened(folder)


@pytest.mark.parametrize("storage", ["float32", "int8"])
def test_a_file_cut_while_it_is_open_gives_no_row_in_part(tmp_path: Path, storage: str) -> None:
    path = tmp_path / "0.safetensors"
    sidecar.write(path, rows(3, 2), {**FIELDS, "storage": storage})
    opened = sidecar.Sidecar(path)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 5)
    assert len(opened.row(0)) == 3
    with pytest.raises(sidecar_header.CutShort, match="cut short while it was read"):
        opened.row(1)


def test_a_folder_of_text_may_have_a_name_of_one_part(
    make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(2)
    monkeypatch.chdir(folder.parent)
    sidecar.default_folder(folder, "fake").rename("mytexts")
    data = Data(str(folder), "mytexts", size=8, batch_size=1, validation=0)
    data.setup()
    assert data.encoder == {"encoder": "fake"}
    assert preflight.missing("tiny", "mytexts", "encoders/t5", None, "cpu") == []
    Path("fake").mkdir()  # an encoder's weights, say; its text is still beside the shards
    Path("mytexts").rename(sidecar.default_folder(folder, "fake"))
    Data(str(folder), "fake", size=8, batch_size=1, validation=0).setup()


def test_text_elsewhere_is_read_from_its_folder(make: Callable[..., Path], tmp_path: Path) -> None:
    folder = make(2)
    text = folder.with_name("tiny.text") / "fake"
    (tmp_path / "elsewhere").mkdir()
    text.rename(tmp_path / "elsewhere" / "fake")
    data = Data(
        str(folder), str(tmp_path / "elsewhere" / "fake"), size=8, batch_size=1, validation=0
    )
    data.setup()
    assert data.encoder == {"encoder": "fake"}
    (tmp_path / "elsewhere" / "fake" / "00000.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="folder="):
        sidecar.open_checked(
            tmp_path / "elsewhere" / "fake" / "00000.safetensors", Collection(folder).open(0)
        )


def test_a_folder_of_shards_may_be_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "laion" / "in").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "laion")
    assert sidecar.default_folder(Path("."), "t5") == tmp_path / "laion.text" / "t5"
    assert sidecar.default_folder(Path("in"), "t5") == Path("in.text") / "t5"
    monkeypatch.chdir(tmp_path / "laion" / "in")
    assert sidecar.default_folder(Path(".."), "t5") == tmp_path / "laion.text" / "t5"


def t5_like(tokens: int, width: int, outliers: int = 4) -> torch.Tensor:
    """Like T5's: most channels of one size, a few of them hundreds of times larger."""
    g = torch.Generator().manual_seed(tokens)
    x = torch.randn(tokens, width, generator=g)
    x[:, :outliers] *= 300
    return x * (0.5 + torch.rand(tokens, 1, generator=g))


class TestInt8:
    def test_it_is_half_as_large_and_as_exact_as_its_header_says(self, tmp_path: Path) -> None:
        vectors = [t5_like(n, 512) for n in (20, 7, 31)]
        path = tmp_path / "0.safetensors"
        measured = sidecar.write(path, vectors, {**FIELDS, "storage": "int8"})
        opened = sidecar.Sidecar(path)
        assert measured["ordinary"] < 0.015 and measured["cosine"] > 0.999
        assert float(opened.fields["error.ordinary"]) == pytest.approx(measured["ordinary"], 1e-4)
        for row, expected in enumerate(vectors):
            quiet, restored = expected[:, 4:], opened.row(row).float()[:, 4:]
            assert (restored - quiet).norm() / quiet.norm() < 0.015

    def test_the_error_in_its_header_is_that_of_the_rows_as_they_are_read(
        self, tmp_path: Path
    ) -> None:
        vectors = [t5_like(n, 512).bfloat16() for n in (20, 7, 31)]
        path = tmp_path / "0.safetensors"
        measured = sidecar.write(path, vectors, {**FIELDS, "storage": "int8"})
        opened = sidecar.Sidecar(path)
        read = [opened.row(row) for row in range(3)]
        assert measured == quantisation.errors(vectors, read)
        channel = quantisation.channel_rms(vectors)
        pairs = [quantisation.quantise(row, channel) for row in vectors]
        unrounded = [quantisation.dequantise(*pair, channel) for pair in pairs]
        assert measured["ordinary"] > 1.02 * quantisation.errors(vectors, unrounded)["ordinary"]

    def test_a_caption_of_t5_xxl_takes_no_more_than_documented(self, tmp_path: Path) -> None:
        vectors = [t5_like(20, 4096) for _ in range(100)]
        for storage, limit in (("bfloat16", 164_000), ("int8", 82_500)):
            sidecar.write(tmp_path / storage, vectors, {**FIELDS, "storage": storage})
            assert (tmp_path / storage).stat().st_size / 100 <= limit

    def test_a_scale_for_each_token_alone_would_lose_the_ordinary_channels(self) -> None:
        x = t5_like(200, 512)
        token = x.abs().amax(1, keepdim=True) / 127
        alone = (x / token).round() * token
        channel = quantisation.channel_rms([x])
        both = quantisation.dequantise(*quantisation.quantise(x, channel), channel)
        ordinary = [quantisation.errors([x], [y])["ordinary"] for y in (alone, both)]
        assert ordinary[0] > 10 * ordinary[1]

    def test_the_library_reads_it_and_agrees(self, tmp_path: Path) -> None:
        vectors = [t5_like(n, 64) for n in (3, 0, 5)]
        path = tmp_path / "0.safetensors"
        sidecar.write(path, vectors, {**FIELDS, "storage": "int8"})
        t = load_file(path)
        restored = t["embeddings"].float() * t["token"][:, None] * t["channel"]
        opened = sidecar.Sidecar(path)
        assert torch.equal(torch.cat([opened.row(i) for i in range(3)]), restored.bfloat16())

    def test_a_shard_without_samples_is_possible(self, tmp_path: Path) -> None:
        sidecar.write(tmp_path / "0.safetensors", [], {**FIELDS, "storage": "int8"})
        assert len(sidecar.Sidecar(tmp_path / "0.safetensors")) == 0
