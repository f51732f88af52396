"""Streamed shards: the same samples with their own text, in a shuffled order."""

import json
import logging
import re
import tomllib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import islice
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from job_signals import positions_after_signals
from tiny_world import add_text, embedding, jpeg, sample

from imagen_lit.basics import pixels
from imagen_lit.cli import config
from imagen_lit.data import remote, sidecar, transform
from imagen_lit.data.filter import Filter
from imagen_lit.data.hash_set import HashSet
from imagen_lit.data.held_back import rows as rows_held_back
from imagen_lit.data.remote import Remote
from imagen_lit.data.shard_files import shard, statistics, tar_stream
from imagen_lit.data.shard_files.collection import Collection

Make = Callable[..., Path]
REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(make: Make) -> Path:
    return make(9, 6, 5)


def open_data(folder: Path, rank: int = 0, world: int = 1, **options: Any) -> Remote:
    names = f"file:{folder}/{{00000..00002}}.tar"
    options = {"size": 16, "batch_size": 10, "seed": 1} | options
    data = Remote(names, str(sidecar.default_folder(folder, "fake")), **options)
    data.trainer = SimpleNamespace(global_rank=rank, world_size=world)
    data.setup()
    return data


def first_batches(data: Remote, batches: int) -> list[dict[str, Any]]:
    stream = islice(data.train_dataloader(), batches)
    return [data.on_after_batch_transfer(batch, 0) for batch in stream]


@pytest.mark.parametrize("workers", [0, 2])
def test_samples_come_with_their_own_text(folder: Path, workers: int) -> None:
    keys = set()
    for batch in first_batches(open_data(folder, workers=workers), 12):
        for key, caption, text, mask, image in zip(
            *(batch[n] for n in ("key", "caption", "text", "mask", "image")), strict=True
        ):
            assert caption == sample(int(key))["caption"]
            assert torch.equal(text[mask], embedding(caption))
            expected = transform.resize(transform.decode(jpeg(int(key)), 16), 16)
            assert torch.equal(image, pixels.to_signed(expected))
            keys.add(key)
    assert len(keys) == 20, "shards are drawn at random, but all of them"


def test_positions_have_no_gap_and_ranks_share_them(folder: Path) -> None:
    parts = [first_batches(open_data(folder, rank, 2), 3) for rank in range(2)]
    batches = [batch for pair in zip(*parts, strict=True) for batch in pair]
    assert torch.cat([batch["position"] for batch in batches]).tolist() == list(range(30))
    assert parts[0][0]["key"] != parts[1][0]["key"]


def test_a_seed_fixes_the_stream_and_a_resumed_run_warns(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = (first_batches(open_data(folder), 4) for _ in range(2))
    assert [b["key"] for b in first] == [b["key"] for b in second]
    later = open_data(folder)
    with caplog.at_level(logging.WARNING):
        later.start_at(20)
    assert "only statistically" in caplog.text
    assert first_batches(later, 1)[0]["position"].tolist() == list(range(20, 30))


def test_signals_to_the_whole_job_do_not_end_the_workers(folder: Path) -> None:
    loader = open_data(folder, workers=2).train_dataloader()
    assert positions_after_signals(loader, 10) == list(range(20, 120))


def test_a_shard_of_other_samples_than_its_text_is_an_error(folder: Path) -> None:
    before = (folder / "00001.tar").read_bytes()
    others = {
        "keys": [sample(n) for n in range(50, 56)],
        "captions": [sample(n, caption="of another") for n in range(9, 15)],
        "samples": [sample(n) for n in range(9, 14)],
    }
    for field, samples in others.items():
        shard.write(folder / "00001.tar", samples)
        message = rf"00001\.safetensors holds the text of other samples .*{field}"
        with pytest.raises(ValueError, match=message):
            first_batches(open_data(folder), 12)
    (folder / "00001.tar").write_bytes(before)


def test_an_image_that_its_json_records_as_sideways_is_turned(tmp_path: Path) -> None:
    exif = json.dumps({"Image Orientation": "Rotated 90 CW"})
    shard.write(tmp_path / "set" / "00000.tar", [sample(1, metadata={"exif": exif})])
    add_text(tmp_path / "set")
    text = str(sidecar.default_folder(tmp_path / "set", "fake"))
    data = Remote(f"file:{tmp_path}/set/00000.tar", text, size=16, batch_size=1)
    data.setup()
    upright = transform.resize(transform.decode(jpeg(1), 16, 6), 16)
    assert torch.equal(first_batches(data, 1)[0]["image"][0], pixels.to_signed(upright))


def test_shards_that_are_all_empty_are_an_error(tmp_path: Path) -> None:
    shard.write(tmp_path / "set" / "00000.tar", [])
    add_text(tmp_path / "set")
    text = str(sidecar.default_folder(tmp_path / "set", "fake"))
    with pytest.raises(ValueError, match="no samples in 1 shard "):
        Remote(f"file:{tmp_path}/set/00000.tar", text, size=16, batch_size=1).setup()


def test_a_shard_cut_short_is_an_error(folder: Path) -> None:
    path = folder / "00002.tar"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"cut short|other samples"):
        first_batches(open_data(folder), 12)


@pytest.mark.parametrize("url", ["pipe:touch pwned", "PIPE:id", "ftp://host/x.tar", "gopen:x"])
def test_an_address_that_runs_something_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match="begins with one of https"):
        Remote(url, str(tmp_path), 16, 4)


@pytest.mark.parametrize(("scheme", "package"), [("s3", "s3fs"), ("gs", "gcsfs")])
def test_a_store_whose_package_is_missing_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, scheme: str, package: str
) -> None:
    monkeypatch.setattr(remote, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=rf"needs {package}\. .*'imagen-lit\[{scheme}\]'"):
        Remote(f"{scheme}://bucket/00000.tar", "text", 16, 4)
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    assert project["optional-dependencies"][scheme][0].startswith(package)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/00000.tar", "file:/nowhere/00000.tar"])
def test_a_shard_that_cannot_be_opened_is_named_in_a_sentence(url: str) -> None:
    with pytest.raises(
        ConnectionError, match=rf"{url} cannot be opened \(.+\)\. Check the address"
    ):
        list(tar_stream.read_samples(url))


@pytest.mark.parametrize("file", ["docs/data.md", "conf/data/remote.yaml"])
def test_the_address_in_the_documents_can_be_typed(file: str) -> None:
    (word,) = re.findall(r'"(data\.shards=[^"]+)"', (REPO / file).read_text())
    cfg = config.compose("train", ["data=remote", "data.text=x", word])
    assert cfg.data.shards == "s3://bucket/laion/{00000..00999}.tar"


def test_streams_refuse_what_data_refuses(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"crop=32 is larger than data\.size=16"):
        open_data(folder, crop=32)
    file = sidecar.default_folder(folder, "fake") / "00001.safetensors"
    text = sidecar.Sidecar(file)
    rows, fields = [text.row(row) for row in range(len(text))], text.fields
    sidecar.write(file, rows, fields | {"storage": "int8"})
    with pytest.raises(ValueError, match=r"mixes encoders or precisions.*storage is 'int8' there"):
        open_data(folder)
    file.unlink()
    with pytest.raises(FileNotFoundError, match=rf"type: .*embed_text .*folder={file.parent}"):
        open_data(folder)
    sidecar.write(file, rows, fields)


class Store(BaseHTTPRequestHandler):
    """Answers with half of a file, or with an error, as its path says."""

    def do_GET(self) -> None:
        if "forbidden" in self.path:
            self.send_error(401)
            return
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(bytes(1000))

    do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("name", ["forbidden.tar", "dropped.tar"])
def test_a_fault_of_the_network_is_not_blamed_on_the_tar(name: str) -> None:
    server = HTTPServer(("127.0.0.1", 0), Store)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/{name}"
    try:
        with pytest.raises(ConnectionError, match=f"{url} cannot be .*Check the address, the net"):
            list(tar_stream.read_samples(url))
    finally:
        server.shutdown()
        server.server_close()


# What is held back, and what is left out ----------------------------------------------------------


def test_a_stream_is_validated_on_a_whole_folder_of_files(folder: Path, make: Make) -> None:
    text = sidecar.default_folder(folder, "fake")
    held_back = folder.parent / "held_back"
    shard.write(held_back / "held.tar", [sample(number) for number in range(100, 107)])
    add_text(held_back)
    (sidecar.default_folder(held_back, "fake") / "held.safetensors").rename(
        text / "held.safetensors"
    )
    data = open_data(folder, validation_shards=str(held_back), batch_size=4)
    (loader,) = data.val_dataloader()
    keys = [key for batch in loader for key in batch["key"]]
    assert sorted(keys) == [f"{number:06d}" for number in range(100, 107)]
    shards, selection = data.held_back()
    assert len(list(rows_held_back(shards, selection))) == 7
    assert open_data(folder).val_dataloader() == []


def test_a_shard_is_not_trained_on_and_validated_on(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"00000\.tar is in data\.shards and in data\.validation"):
        open_data(folder, validation_shards=str(folder))


def test_a_stream_is_filtered_as_files_are(folder: Path) -> None:
    bounds = Filter(caption_length=[None, 20], fields={"number": [3, None]})
    expected = {
        shard.key(int(row))
        for number, shard in ((n, Collection(folder).open(n)) for n in range(3))
        for row in np.flatnonzero(bounds.keep(statistics.of_shard(shard.path), HashSet())[0])
    }
    samples = sum(Collection(folder).counts)
    stream = first_batches(open_data(folder, filter=bounds), 12)
    assert {key for batch in stream for key in batch["key"]} == expected
    assert 0 < len(expected) < samples


def test_a_filter_that_leaves_nothing_of_a_stream_ends_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "MAX_LEFT_OUT", 50)
    with pytest.raises(ValueError, match=r"left out 50 samples in a row.* of side < 4096"):
        first_batches(open_data(folder, filter=Filter(min_side=4096)), 1)
    with pytest.raises(ValueError, match="distinct_captions=true needs all captions at once"):
        open_data(folder, filter=Filter(distinct_captions=True))
