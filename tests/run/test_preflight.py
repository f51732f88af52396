"""What is missing is named in the order in which the commands that bring it are typed."""

from pathlib import Path

import pytest
import torch

from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config
from imagen_lit.run import trainer
from imagen_lit.run.preflight import inspect, missing, missing_for, refuse_slow_compiler

COMMANDS = ["imagen_lit.build_shards", "hf download", "imagen_lit.embed_text"]


def sentences(home: Path, accelerator: str = "cpu", previews: bool = False) -> list[str]:
    encoder = str(home / "encoders/t5")
    return missing(str(home / "laion"), "t5", encoder, "hf download t5", accelerator, previews)


def touch(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()


def test_each_thing_that_arrives_removes_its_sentence(tmp_path: Path) -> None:
    for done, file in enumerate(
        ["laion/00000.tar", "encoders/t5/config.json", "laion.text/t5/00000.safetensors"]
    ):
        missing_now = sentences(tmp_path)
        assert len(missing_now) == 3 - done
        pairs = zip(COMMANDS[done:], missing_now, strict=True)
        assert all(command in sentence for command, sentence in pairs)
        touch(tmp_path / file)
    assert sentences(tmp_path) == []


def test_weights_are_not_needed_once_their_text_is_cached(tmp_path: Path) -> None:
    touch(tmp_path / "laion/00000.tar")
    touch(tmp_path / "laion.text/t5/00000.safetensors")
    assert sentences(tmp_path) == []
    (sentence,) = sentences(tmp_path, previews=True)  # their prompts are in no cache
    assert "hf download t5" in sentence and "callbacks=default" in sentence


def test_shards_that_are_gone_are_not_rebuilt_from_something_else(tmp_path: Path) -> None:
    touch(tmp_path / "laion.meta/manifest.json")
    (first, *_) = sentences(tmp_path)
    assert "are gone" in first and "build_shards" not in first


def test_shards_without_a_name_are_asked_for_by_their_key() -> None:
    first = missing(None, "t5", "encoders/t5", None, "cpu")[0]
    assert "data.shards=<folder>" in first and "build_shards" in first


def test_a_misspelt_folder_is_answered_with_the_near_one_that_exists(tmp_path: Path) -> None:
    touch(tmp_path / "lion/00000.tar")
    touch(tmp_path / "cats/00000.tar")
    (sentence,) = sentences(tmp_path)  # laion
    assert f"did you mean {tmp_path}/lion? Set data.shards={tmp_path}/lion" in sentence
    assert "build_shards" not in sentence, "which would render the toy world into it"


def test_an_object_store_is_not_checked_here() -> None:
    for shards in ("s3://bucket/{0..9}.tar", "laion/{0..9}.tar"):
        assert missing(shards, "laion.text/t5", "encoders/t5", None, "cpu") == []


@pytest.mark.parametrize("has_gpu", [True, False])
def test_a_gpu_is_asked_for_last_and_only_if_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_gpu: bool
) -> None:
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: has_gpu)
    missing_now = sentences(tmp_path, "gpu")
    assert len(missing_now) == 3 + (not has_gpu)
    if not has_gpu:
        cfg = config.compose("train", ["trainer=gpu"])
        with pytest.raises(InputError) as refused:
            trainer.training_device(cfg)
        assert str(refused.value) == missing_now[-1], "asked twice, refused in one sentence"
        assert "scale=demo" in missing_now[-1]


def test_the_command_for_an_encoder_elsewhere_makes_it_there(tmp_path: Path) -> None:
    words = ["data=shards", f"data.shards={tmp_path}/none", "text.path=encoders/nope"]
    made = [each for each in missing_for(config.compose("train", words)) if "weights" in each]
    assert "pretrain_text text.path=encoders/nope" in made[0]


@pytest.mark.parametrize(
    ("words", "is_refused"),
    [
        (["compile=inductor", "trainer.precision=bf16-mixed"], True),
        (["compile=inductor"], False),
        (["compile=aot_eager", "trainer.precision=bf16-mixed"], False),
        (["compile=inductor", "trainer=gpu"], False),
        (["trainer.precision=bf16-mixed"], False),
    ],
)
def test_a_compiler_that_does_not_end_on_a_cpu_is_refused(
    words: list[str], is_refused: bool
) -> None:
    cfg = config.compose("train", ["device=cpu", *words])
    if is_refused:
        with pytest.raises(InputError, match=r"five minutes on a CPU.* Set compile=null, or"):
            refuse_slow_compiler(cfg)
    else:
        refuse_slow_compiler(cfg)


@pytest.mark.parametrize("precision", ["16-mixed", "16-true", "16"])
def test_float16_is_refused_with_what_takes_its_place(precision: str) -> None:
    cfg = config.compose("train", [f"trainer.precision={precision}", "callbacks=default"])
    with pytest.raises(InputError, match=rf"precision={precision} loses .* Set .*=bf16-mixed"):
        trainer.build_trainer(cfg)


@pytest.mark.parametrize(
    ("choice", "is_shared"), [("laptop", False), ("ddp", False), ("fsdp", True)]
)
def test_only_fsdp_gives_each_device_a_share_of_the_weights(
    choice: str, is_shared: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"trainer={choice}", "trainer.devices=2", f"runs={tmp_path}", "optimizer=adamw"]
    words += ["network.channels=[16,32]", "network.blocks=[1,1]", "network.attention=[false,true]"]
    inspect(config.compose("train", [*words, "network.head_width=16"]), full=True)
    out = capsys.readouterr().out
    assert ("a share of the weights on each" in out) is is_shared
    assert ("on all devices together" in out) is is_shared
