"""What is not there is named in the order in which the commands that bring it are typed."""

from pathlib import Path

import pytest
import torch

from imagen_lit.readiness import lacking

COMMANDS = ["imagen_lit.build_shards", "hf download", "imagen_lit.embed_text"]


def lacks(home: Path, accelerator: str = "cpu", previews: bool = False) -> list[str]:
    encoder = str(home / "encoders/t5")
    return lacking(str(home / "laion"), "t5", encoder, "hf download t5", accelerator, previews)


def made(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


def test_each_thing_that_comes_takes_its_sentence_away(tmp_path: Path) -> None:
    for done, file in enumerate(
        ["laion/00000.tar", "encoders/t5/config.json", "laion.text/t5/00000.safetensors"]
    ):
        found = lacks(tmp_path)
        assert len(found) == 3 - done
        assert all(c in said for c, said in zip(COMMANDS[done:], found, strict=True))
        made(tmp_path / file)
    assert lacks(tmp_path) == []


def test_weights_are_not_asked_for_once_their_text_is_cached(tmp_path: Path) -> None:
    made(tmp_path / "laion/00000.tar")
    made(tmp_path / "laion.text/t5/00000.safetensors")
    assert lacks(tmp_path) == []
    (said,) = lacks(tmp_path, previews=True)  # these have prompts that no cache holds
    assert "hf download t5" in said and "callbacks=default" in said


def test_shards_that_are_gone_are_not_to_be_made_of_something_else(tmp_path: Path) -> None:
    made(tmp_path / "laion.meta/manifest.json")
    (first, *_) = lacks(tmp_path)
    assert "are gone" in first and "build_shards" not in first


def test_shards_that_nobody_named_are_asked_for_by_their_key() -> None:
    first = lacking(None, "t5", "encoders/t5", None, "cpu")[0]
    assert "data.shards=<folder>" in first and "build_shards" in first


def test_an_object_store_speaks_for_itself() -> None:
    for shards in ("s3://bucket/{0..9}.tar", "laion/{0..9}.tar"):
        assert lacking(shards, "laion.text/t5", "encoders/t5", None, "cpu") == []


@pytest.mark.parametrize("there", [True, False])
def test_a_gpu_is_asked_for_last_and_only_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: there)
    found = lacks(tmp_path, "gpu")
    assert len(found) == 3 + (not there)
    assert there or "scale=demo" in found[-1]
