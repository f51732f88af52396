"""One command makes the encoder; the same command continues, or finds it there."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import warm
from laptop import run
from safetensors.torch import load_file

from imagen_lit import pretrain_clip
from imagen_lit.cli import config

TINY = ["images=64", "width=16", "channels=8", "layers=1", "vocabulary=280", "max_length=16"]
TINY += ["data.size=16", "data.batch_size=8", "data.validation=12", "device=cpu"]
KILL = (
    "import os, signal; from imagen_lit import pretrain_clip; from imagen_lit.cli import config\n"
    "import sys; pretrain_clip.pretraining.SAVE_EVERY = 0\n"
    "class Killed:\n"
    "    def __init__(self, *_): self.batches = 0\n"
    "    def __call__(self, *_):\n"
    "        self.batches += 1\n"
    "        if self.batches == 4: os.kill(os.getpid(), signal.SIGKILL)\n"
    "pretrain_clip.Counter = Killed\n"
    "pretrain_clip.main(config.compose('pretrain_clip', sys.argv[1:]))\n"
)


@pytest.fixture
def make(shards: Path, tmp_path: Path) -> Callable[..., None]:
    def make(*words: str) -> None:
        places = [f"data.shards={shards}", f"folder={tmp_path}/clip"]
        pretrain_clip.main(config.compose("pretrain_clip", [*places, *TINY, *words]))

    return make


def test_the_command_says_what_was_learnt_and_finds_its_encoder_again(
    make: Callable[..., None], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make("images=960", "lr=3e-3")
    first = capfd.readouterr()
    assert "960/960 images seen in 0:" in first.err and "loss " in first.err
    assert f"the encoder is in {tmp_path}/clip; " in first.out
    assert "of 12 images that were held back find their own caption among 12" in first.out
    assert "by chance it would be 8.3%" in first.out
    names = [
        "config.json",
        "model.safetensors",
        "pretraining.json",
        "recall.json",
        "tokenizer.json",
    ]
    assert sorted(path.name for path in (tmp_path / "clip").iterdir()) == names
    assert [path.name for path in tmp_path.iterdir()] == ["clip"], "no state, no lock"
    before = {file: file.read_bytes() for file in (tmp_path / "clip").iterdir()}
    make("images=960", "lr=3e-3", "data.workers=1", "data.decoded_cache_mib=0")
    again = capfd.readouterr()
    assert again.err == "" and again.out == first.out.replace("is in", "was already in")
    assert before == {file: file.read_bytes() for file in (tmp_path / "clip").iterdir()}


def test_an_encoder_of_other_settings_is_refused_and_left_alone(
    make: Callable[..., None], tmp_path: Path
) -> None:
    make()
    before = {file: file.read_bytes() for file in (tmp_path / "clip").iterdir()}
    for word, advice in {
        "seed=1": "seed is 0 there, 1 here.*Set seed=0 to use it",
        "data.validation=11": "data.validation is 12 there, 11 here",
        "data.filter.min_side=8": "data.filter.min_side is 0 there, 8 here",
        "width=32": "width is 16 there, 32 here",
    }.items():
        with pytest.raises(ValueError, match=advice):
            make(word)
    assert before == {file: file.read_bytes() for file in (tmp_path / "clip").iterdir()}


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        ("data.size=48", "data.size=48 is none of 16, 32, 64, 128, 256. Set data.size=64"),
        ("data.batch_size=1", "data.batch_size=1 is not a whole number of 2 or more"),
        ("data.validation=0", "data.validation=0 holds back 0 images.*Set data.validation=64"),
        ("vocabulary=100", "vocabulary=100 is not a whole number of 259 or more"),
        ("images=0", "images=0 is not a whole number of 1 or more"),
        ("lr=0", "lr=0 is not a number above 0"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused_before_the_work(
    make: Callable[..., None], tmp_path: Path, word: str, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        make(word)
    assert not (tmp_path / "clip").exists()


def test_other_files_in_the_folder_are_left_alone(
    make: Callable[..., None], tmp_path: Path
) -> None:
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip/notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"holds other files.*Set folder=encoders/mine"):
        make()
    assert (tmp_path / "clip/notes.txt").read_text() == "mine"


@pytest.mark.slow
def test_killed_and_typed_again_it_makes_the_same_encoder(
    make: Callable[..., None], shards: Path, tmp_path: Path
) -> None:
    words = [f"data.shards={shards}", *TINY, "folder=killed"]
    files = tmp_path / "out", tmp_path / "err"
    assert warm.wait(warm.script(KILL, words, tmp_path, *files)) == -9
    assert (tmp_path / "killed.unfinished").is_file() and not (tmp_path / "killed").exists()
    assert "of 12 images" in run("pretrain_clip", *words, folder=tmp_path).stdout
    assert not (tmp_path / "killed.unfinished").exists()
    make()
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("killed", "clip"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
