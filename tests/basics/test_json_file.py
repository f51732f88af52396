"""A damaged JSON file is named in a sentence, wherever it lies."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_run import leave_run

from imagen_lit.basics import json_file, png_metadata
from imagen_lit.basics.encoder_folder import SETTINGS, EncoderFolder
from imagen_lit.basics.errors import InputError
from imagen_lit.data import build
from imagen_lit.data.shard_files.index_cache import meta_folder
from imagen_lit.report import contact_sheet
from imagen_lit.run import estimate, evaluation_facts, lock, provenance, run_folder, state, status

DAMAGE = [b"", b"{", b"3", b"null", b"[1]", b'"words"', b"\xff\xfe\x00", b"[" * 100_000]


@pytest.mark.parametrize("content", DAMAGE)
def test_what_is_no_mapping_is_refused_with_its_name_and_advice(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.json is damaged: it .*\. Remove it\."):
        json_file.read(tmp_path / "x.json", "Remove it.")


def survey(folder: Path) -> Any:
    return build._read_left_out(meta_folder(folder / "demo") / "00000.left_out.json")


def pretraining(folder: Path) -> Any:
    (folder / "config.json").write_text("{}")
    return EncoderFolder(folder, {}, "", {}).refuse_other()


READERS: list[tuple[str, Callable[[Path], Any]]] = [
    ("provenance.json", lambda folder: provenance.claim(folder, {}, ())),
    ("text.json", lambda folder: run_folder.text_difference(folder, {})),
    ("probe.json", estimate.read_probe),
    ("lock.json", lock._read),
    ("demo.meta/00000.left_out.json", survey),
    (SETTINGS, pretraining),
]


@pytest.mark.parametrize("content", DAMAGE)
@pytest.mark.parametrize(("name", "reader"), READERS, ids=[name for name, _ in READERS])
def test_every_reader_of_our_files_names_the_damaged_one(
    tmp_path: Path, name: str, reader: Callable[[Path], Any], content: bytes
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=Path(name).name):
        reader(tmp_path)
    assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize("content", ['{"a": NaN}', '{"a": -1}', '{"a": "x"}', '{"a": {}}'])
def test_counts_of_what_was_left_out_are_whole_numbers(tmp_path: Path, content: str) -> None:
    (tmp_path / "demo.meta").mkdir()
    (tmp_path / "demo.meta/00000.left_out.json").write_text(content)
    with pytest.raises(InputError, match=r"left_out\.json is damaged.*Delete it"):
        survey(tmp_path)


@pytest.mark.parametrize("content", ["{}", '{"weights": 3}', '{"weights": {"a": 1}, "text": {}}'])
def test_a_provenance_that_says_nothing_is_damaged(tmp_path: Path, content: str) -> None:
    (tmp_path / "provenance.json").write_text(content)
    with pytest.raises(InputError, match=r"provenance\.json is damaged.*Restore it"):
        provenance.refuse_other_request(tmp_path, {})


def test_a_status_nested_too_deeply_stops_no_run(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text("[" * 100_000)
    assert status.read(tmp_path) == {}
    assert state.current(tmp_path).word == "unknown"


def test_settings_that_hold_themselves_are_damaged(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("stage: &a {x: *a}\n")
    with pytest.raises(InputError, match=r"config\.yaml is damaged.*Restore it"):
        run_folder.read_config(tmp_path)


def test_a_network_that_cannot_be_built_is_blamed_on_its_settings(tmp_path: Path) -> None:
    folder = leave_run(tmp_path, "base")
    file = folder / "config.yaml"
    text = file.read_text().replace("      - 16\n      - 32\n      - 32\n", "      - a\n")
    assert text != file.read_text()
    file.write_text(text)
    with pytest.raises(InputError, match=r"config\.yaml is from another version"):
        run_folder.load_ema(folder)


def test_a_pipe_in_place_of_a_file_keeps_nobody_waiting(tmp_path: Path) -> None:
    for name in (state.STATUS, state.LOCK, evaluation_facts.FILE):
        os.mkfifo(tmp_path / name)
    assert state.current(tmp_path).word == "unknown"
    assert evaluation_facts.read(tmp_path, "x") is None
    assert status.read(tmp_path) == {}


def test_an_enormous_image_is_none_of_ours(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((20_000, 20_000), np.uint8)).convert("1").save(tmp_path / "sheet.png")
    assert png_metadata.read(tmp_path / "sheet.png") is None
    with pytest.raises(InputError, match="is no contact sheet"):
        contact_sheet.refuse_other_file(tmp_path / "sheet.png")
