"""Which share is mine, what a cache will take, and what is said when neither can be known."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from tiny_world import sample

from imagen_lit import door, embed_text, train
from imagen_lit.data import shard, sidecar, sidecar_header
from imagen_lit.data.loader import Data
from imagen_lit.text import nano

NAMES = ("ID", "MIN", "MAX", "STEP", "COUNT")


def array(**said: int) -> dict[str, str]:
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in said.items()}


@pytest.mark.parametrize(
    "ids", [range(4), range(5, 7), range(1, 14, 3), [7]], ids=["0-3", "5-6", "1-13:3", "7"]
)
def test_the_tasks_of_an_array_share_out_the_work_without_rest(ids: list[int]) -> None:
    step = ids[1] - ids[0] if len(ids) > 1 else 1
    told = {"MIN": ids[0], "MAX": ids[-1], "STEP": step, "COUNT": len(ids)}
    shares = [embed_text.share(None, None, array(ID=each, **told)) for each in ids]
    assert shares == [(place, len(ids)) for place in range(len(ids))]


@pytest.mark.parametrize("here", [1, 3, 7])
def test_ids_that_follow_no_rule_are_refused_with_the_words_to_type(here: int) -> None:
    told = array(ID=here, MIN=1, MAX=7, STEP=1, COUNT=3)
    with pytest.raises(ValueError, match=r"task=<from 0> tasks=<how many>"):
        embed_text.share(None, None, told)
    assert embed_text.share(2, 3, told) == (2, 3)


@pytest.mark.parametrize("unset", NAMES[1:])
def test_what_slurm_did_not_say_is_named(unset: str) -> None:
    told = array(ID=0, MIN=0, MAX=3, STEP=1, COUNT=4)
    del told[f"SLURM_ARRAY_TASK_{unset}"]
    with pytest.raises(ValueError, match=f"SLURM_ARRAY_TASK_{unset}=unset"):
        embed_text.share(None, None, told)


@pytest.mark.parametrize("members", [1, 3])
def test_the_tasks_of_one_srun_share_out_what_falls_to_their_member(members: int) -> None:
    shares = []
    for member in range(members):
        told = array(ID=member, MIN=0, MAX=members - 1, STEP=1, COUNT=members)
        for task in range(4):
            step = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": str(task)}
            shares.append(embed_text.share(None, None, (told if members > 1 else {}) | step))
    assert shares == [(place, 4 * members) for place in range(4 * members)]
    # The batch script itself is one process, however many tasks were asked for.
    assert embed_text.share(None, None, {"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}) == (0, 1)


@pytest.mark.parametrize("name", NAMES)
def test_what_slurm_cannot_mean_is_named(name: str) -> None:
    told = array(ID=0, MIN=0, MAX=3, STEP=1, COUNT=4) | {f"SLURM_ARRAY_TASK_{name}": "x"}
    with pytest.raises(ValueError, match=f"SLURM_ARRAY_TASK_{name}=x"):
        embed_text.share(None, None, told)


@pytest.mark.parametrize(("mode", "expected"), [("MULTIRUN", (0, 1)), ("RUN", (1, 4))])
def test_a_member_of_a_sweep_encodes_all_although_slurm_has_an_array_of_them(
    monkeypatch: pytest.MonkeyPatch, mode: str, expected: tuple[int, int]
) -> None:
    for name, value in array(ID=1, MIN=0, MAX=3, STEP=1, COUNT=4).items():
        monkeypatch.setenv(name, value)
    hydra = SimpleNamespace(mode=RunMode[mode])
    monkeypatch.setattr(HydraConfig, "initialized", lambda: True)
    monkeypatch.setattr(HydraConfig, "get", lambda: hydra)
    assert embed_text.share(None, None, embed_text.environment()) == expected
    assert embed_text.share(2, 3, embed_text.environment()) == (2, 3)


def test_words_are_no_share() -> None:
    with pytest.raises(ValueError, match="expected whole numbers"):
        embed_text.share("a", 2, {})  # type: ignore[arg-type]


def test_outside_an_array_all_work_is_mine() -> None:
    assert embed_text.share(None, None, {}) == (0, 1)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two shards and an encoder that has read nothing."""
    monkeypatch.chdir(tmp_path)
    for number in range(2):
        samples = [sample(3 * number + n) for n in range(3)]
        shard.write(tmp_path / "laion" / f"{number:05d}.tar", samples)
    pieces = nano.tokenizer()
    nano.save(nano.FullT5(nano.config(len(pieces), 128, 1, 8)), pieces, "encoders/t5_nano")
    return tmp_path


def embedded(*words: str) -> None:
    embed_text.main(door.compose("embed_text", ["shards=laion", "+text.device=cpu", *words]))


@pytest.mark.parametrize(
    "word", ["budget=a", "budget=0", "plan=true tried=0", "plan=true train_gflops=0"]
)
def test_a_number_that_is_none_is_named(place: Path, word: str) -> None:
    name, _, value = word.split()[-1].partition("=")
    with pytest.raises(ValueError, match=f"found {name}={value}: expected a"):
        embedded(*word.split())


class TestAPlan:
    def told(self, capsys: pytest.CaptureFixture[str]) -> str:
        embedded("plan=true", "seconds=0.01")
        return capsys.readouterr().out

    def test_says_all_and_then_what_it_wrote(
        self, place: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = set(place.rglob("*"))
        first = self.told(capsys)
        new = {path for path in set(place.rglob("*")) - before if path.is_file()}
        assert "captions/s measured" in first and "verdict" in first
        assert f"written  {len(new)} files in laion.meta" in first
        assert new and {path.parent for path in new} == {place / "laion.meta"}
        assert "written" not in self.told(capsys)
        assert {path for path in set(place.rglob("*")) - before if path.is_file()} == new

    def test_says_the_same_disk_without_the_weights(
        self, place: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        whole = self.told(capsys).splitlines()
        (place / "encoders/t5_nano/model.safetensors").unlink()
        without = self.told(capsys).splitlines()
        assert without[:2] == whole[:2]
        assert without[2].startswith("hours    need the weights")
        assert "make it with: python -m imagen_lit.pretrain_text" in without[2]

    def test_says_between_what_bounds_disk_lies_without_a_tokenizer(
        self, place: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for file in (place / "encoders/t5_nano").iterdir():
            file.unlink()
        captions = [sample(n)["caption"] for n in range(6)]
        least = sum(2 * 128 * (len(caption.split()) + 1) + 8 for caption in captions)
        most = 6 * (2 * 128 * 48 + 8)
        said = self.told(capsys)
        assert f"at least {least / 1000:.1f} kB in bfloat16" in said
        assert f"at most {most / 1000:.1f} kB" in said and "need the weights" in said


def test_sidecars_lie_where_they_are_asked_for(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    embedded(f"folder={place / 'elsewhere'}")
    assert f"2 new sidecars are in {place / 'elsewhere'}" in capsys.readouterr().out
    data = Data("laion", str(place / "elsewhere"), size=8, batch_size=1, validation=0)
    data.setup()
    assert data.encoder["encoder"] == "t5_nano"


def test_an_error_has_a_line_of_its_own(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "laion.text/t5_nano").mkdir(parents=True)
    (place / "laion.text/t5_nano/00001.safetensors").write_bytes(b"precious")
    with pytest.raises(ValueError, match="not a file of text embeddings of ours"):
        embedded()
    assert capsys.readouterr().out.endswith("1/2 sidecars\n")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ("text.max_length=24", "max_length (file: 48, wanted: 24)"),
        ("+text.layer=-2", "layer (file: -1, wanted: -2)"),
        ("+text.dtype=bfloat16", "compute_dtype (file: float32, wanted: bfloat16)"),
        ("text.load._target_=transformers.MT5EncoderModel.from_pretrained", "class (file: T5Enc"),
    ],
)
def test_nothing_is_trained_on_text_made_otherwise_than_is_asked_for(
    place: Path, changed: str, field: str
) -> None:
    embedded()
    words = ["data=shards", "data.shards=laion", "data.validation=1", "data.size=16", "name=x"]
    with pytest.raises(ValueError) as error:
        train.train(door.compose("train", [*words, "stage.images=64", changed]))
    assert field in str(error.value)
    assert not (place / "runs/x/text.json").exists()


def test_nothing_is_trained_on_text_of_other_weights_than_are_here(place: Path) -> None:
    embedded()
    words = ["data=shards", "data.shards=laion", "data.validation=1", "data.size=16", "name=x"]
    file = place / "encoders/t5_nano/model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(ValueError, match=r"weights_sha256 \(file: "):
        train.train(door.compose("train", [*words, "stage.images=64"]))
    assert not (place / "runs/x/text.json").exists()


@pytest.mark.parametrize(("spike", "too_much"), [(1.0, False), (60.0, True)])
def test_int8_says_when_it_loses_more_than_it_should(
    tmp_path: Path, spike: float, too_much: bool
) -> None:
    tokens = torch.randn(300, 10, 4096, generator=torch.Generator().manual_seed(0))
    tokens[7, 3, 5] = spike  # loud in one token, in a channel that is quiet elsewhere
    fields = {"stored": "int8", "samples": "300", "format": sidecar_header.FORMAT}
    sidecar.write(tmp_path / "0.safetensors", list(tokens), fields)
    assert ("more than int8 should lose" in embed_text.measured_error(tmp_path)) == too_much
