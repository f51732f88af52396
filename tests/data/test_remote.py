"""Streamed shards: the same samples with their text, in a mixed order, and never a stranger's."""

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

import pytest
import torch
from job_signals import positions_after_signals
from tiny_world import add_text, embedding, jpeg, sample

from imagen_lit import door
from imagen_lit.data import remote, shard, sidecar, transform
from imagen_lit.data.remote import Remote

Make = Callable[..., Path]
REPO = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(make: Make) -> Path:
    return make(9, 6, 5)


def opened(folder: Path, rank: int = 0, world: int = 1, **options: Any) -> Remote:
    names = f"file:{folder}/{{00000..00002}}.tar"
    known = {"size": 16, "batch_size": 10, "seed": 1} | options
    data = Remote(names, str(sidecar.folder(folder, "fake")), **known)
    data.trainer = SimpleNamespace(global_rank=rank, world_size=world)
    data.setup()
    return data


def seen(data: Remote, batches: int) -> list[dict[str, Any]]:
    stream = islice(data.train_dataloader(), batches)
    return [data.on_after_batch_transfer(batch, 0) for batch in stream]


@pytest.mark.parametrize("workers", [0, 2])
def test_samples_come_with_their_own_text(folder: Path, workers: int) -> None:
    keys = set()
    for batch in seen(opened(folder, workers=workers), 12):
        for key, caption, text, mask, image in zip(
            *(batch[n] for n in ("key", "caption", "text", "mask", "image")), strict=True
        ):
            known = sample(int(key))
            assert caption == known["caption"]
            assert torch.equal(text[mask], embedding(caption))
            picture = transform.resize(transform.decode(jpeg(int(key)), 16), 16)
            assert torch.equal(image, transform.signed(picture))
            keys.add(key)
    assert len(keys) == 20, "shards are drawn at random, but all of them"


def test_positions_go_on_without_gap_and_ranks_share_them(folder: Path) -> None:
    parts = [seen(opened(folder, rank, 2), 3) for rank in range(2)]
    batches = [batch for pair in zip(*parts, strict=True) for batch in pair]
    assert torch.cat([batch["position"] for batch in batches]).tolist() == list(range(30))
    assert parts[0][0]["key"] != parts[1][0]["key"]


def test_the_same_seed_streams_the_same_and_a_resumed_run_says_what_it_is(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, again = (seen(opened(folder), 4) for _ in range(2))
    assert [b["key"] for b in first] == [b["key"] for b in again]
    later = opened(folder)
    with caplog.at_level(logging.WARNING):
        later.start_at(20)
    assert "only statistically" in caplog.text
    assert seen(later, 1)[0]["position"].tolist() == list(range(20, 30))


def test_signals_to_the_whole_job_do_not_end_the_workers(folder: Path) -> None:
    loader = opened(folder, workers=2).train_dataloader()
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
        said = rf"00001\.safetensors is of other samples .*{field}"
        with pytest.raises(ValueError, match=said):
            seen(opened(folder), 12)
    (folder / "00001.tar").write_bytes(before)


def test_a_picture_whose_json_remembers_that_it_lay_is_turned(tmp_path: Path) -> None:
    exif = json.dumps({"Image Orientation": "Rotated 90 CW"})
    shard.write(tmp_path / "set" / "00000.tar", [sample(1, known={"exif": exif})])
    add_text(tmp_path / "set")
    text = str(sidecar.folder(tmp_path / "set", "fake"))
    data = Remote(f"file:{tmp_path}/set/00000.tar", text, size=16, batch_size=1)
    data.setup()
    upright = transform.resize(transform.decode(jpeg(1), 16, 6), 16)
    assert torch.equal(seen(data, 1)[0]["image"][0], transform.signed(upright))


def test_shards_that_are_all_empty_are_an_error(tmp_path: Path) -> None:
    shard.write(tmp_path / "set" / "00000.tar", [])
    add_text(tmp_path / "set")
    text = str(sidecar.folder(tmp_path / "set", "fake"))
    with pytest.raises(ValueError, match="no samples in any of 1 shards"):
        Remote(f"file:{tmp_path}/set/00000.tar", text, size=16, batch_size=1).setup()


def test_a_shard_cut_short_is_an_error(folder: Path) -> None:
    path = folder / "00002.tar"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"cut short|other samples"):
        seen(opened(folder), 12)


@pytest.mark.parametrize("url", ["pipe:touch pwned", "PIPE:id", "ftp://host/x.tar", "gopen:x"])
def test_an_address_that_runs_something_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(ValueError, match="expected one of https"):
        Remote(url, str(tmp_path), 16, 4)


@pytest.mark.parametrize(("scheme", "package"), [("s3", "s3fs"), ("gs", "gcsfs")])
def test_a_store_whose_package_is_not_there_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, scheme: str, package: str
) -> None:
    monkeypatch.setattr(remote, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=rf"needs {package}: .*'imagen-lit\[{scheme}\]'"):
        Remote(f"{scheme}://bucket/00000.tar", "text", 16, 4)
    asked = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    assert asked["optional-dependencies"][scheme][0].startswith(package)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/00000.tar", "file:/nowhere/00000.tar"])
def test_a_shard_that_cannot_be_opened_is_named_in_a_sentence(url: str) -> None:
    with pytest.raises(ConnectionError, match=rf"{url} cannot be opened \(.+\): are the address"):
        list(remote.members(url))


@pytest.mark.parametrize("file", ["docs/data.md", "conf/data/remote.yaml"])
def test_the_address_in_the_documents_can_be_typed(file: str) -> None:
    (word,) = re.findall(r'"(data\.shards=[^"]+)"', (REPO / file).read_text())
    cfg = door.compose("train", ["data=remote", "data.text=x", word])
    assert cfg.data.shards == "s3://bucket/laion/{00000..00999}.tar"


def test_what_data_refuses_streams_refuse_too(folder: Path) -> None:
    with pytest.raises(ValueError, match="crop=32 does not fit into pictures of size=16"):
        opened(folder, crop=32)
    file = sidecar.folder(folder, "fake") / "00001.safetensors"
    text = sidecar.Sidecar(file)
    rows, fields = [text.row(row) for row in range(len(text))], text.fields
    sidecar.write(file, rows, fields | {"stored": "int8"})
    with pytest.raises(ValueError, match=r"mixes encoders or precisions.*stored \(file: int8"):
        opened(folder)
    file.unlink()
    with pytest.raises(FileNotFoundError, match=rf"type: .*embed_text .*folder={file.parent}"):
        opened(folder)
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
def test_a_fault_of_the_network_is_not_told_as_one_of_the_tar(name: str) -> None:
    server = HTTPServer(("127.0.0.1", 0), Store)
    Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/{name}"
    try:
        with pytest.raises(ConnectionError, match=f"{url} cannot be .*are the address and the net"):
            list(remote.members(url))
    finally:
        server.shutdown()
        server.server_close()
