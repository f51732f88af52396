"""Which share of the work is whose, what a cache will cost, and errors when that is unknown."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from tiny_world import sample

from imagen_lit import embed_text, train
from imagen_lit.basics.progress_line import ProgressLine
from imagen_lit.cli import config
from imagen_lit.data import sidecar, sidecar_header
from imagen_lit.data.loader import Data
from imagen_lit.data.shard_files import shard
from imagen_lit.shapes import nano_t5

NAMES = ("ID", "MIN", "MAX", "STEP", "COUNT")


def array(**numbers: int) -> dict[str, str]:
    return {f"SLURM_ARRAY_TASK_{name}": str(number) for name, number in numbers.items()}


@pytest.mark.parametrize(
    "ids", [range(4), range(5, 7), range(1, 14, 3), [7]], ids=["0-3", "5-6", "1-13:3", "7"]
)
def test_the_tasks_of_an_array_share_the_work_completely(ids: list[int]) -> None:
    step = ids[1] - ids[0] if len(ids) > 1 else 1
    limits = {"MIN": ids[0], "MAX": ids[-1], "STEP": step, "COUNT": len(ids)}
    shares = [embed_text.share(None, None, array(ID=each, **limits)) for each in ids]
    assert shares == [(place, len(ids)) for place in range(len(ids))]


@pytest.mark.parametrize("this", [1, 3, 7])
def test_unevenly_spaced_ids_are_refused_with_the_words_to_set(this: int) -> None:
    variables = array(ID=this, MIN=1, MAX=7, STEP=1, COUNT=3)
    with pytest.raises(ValueError, match=r"set task=<from 0> tasks=<how many>"):
        embed_text.share(None, None, variables)
    assert embed_text.share(2, 3, variables) == (2, 3)


@pytest.mark.parametrize("unset", NAMES[1:])
def test_a_missing_slurm_variable_is_named(unset: str) -> None:
    variables = array(ID=0, MIN=0, MAX=3, STEP=1, COUNT=4)
    del variables[f"SLURM_ARRAY_TASK_{unset}"]
    with pytest.raises(ValueError, match=f"SLURM_ARRAY_TASK_{unset}=unset"):
        embed_text.share(None, None, variables)


@pytest.mark.parametrize("members", [1, 3])
def test_the_tasks_of_one_srun_split_their_members_share(members: int) -> None:
    shares = []
    for member in range(members):
        variables = array(ID=member, MIN=0, MAX=members - 1, STEP=1, COUNT=members)
        for task in range(4):
            step = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": str(task)}
            shares.append(embed_text.share(None, None, (variables if members > 1 else {}) | step))
    assert shares == [(place, 4 * members) for place in range(4 * members)]
    # The batch script itself is one process, however many tasks were requested.
    assert embed_text.share(None, None, {"SLURM_NTASKS": "4", "SLURM_PROCID": "0"}) == (0, 1)


@pytest.mark.parametrize("name", NAMES)
def test_an_impossible_slurm_variable_is_named(name: str) -> None:
    variables = array(ID=0, MIN=0, MAX=3, STEP=1, COUNT=4) | {f"SLURM_ARRAY_TASK_{name}": "x"}
    with pytest.raises(ValueError, match=f"SLURM_ARRAY_TASK_{name}=x"):
        embed_text.share(None, None, variables)


@pytest.mark.parametrize(("mode", "expected"), [("MULTIRUN", (0, 1)), ("RUN", (1, 4))])
def test_a_member_of_a_sweep_embeds_everything(
    monkeypatch: pytest.MonkeyPatch, mode: str, expected: tuple[int, int]
) -> None:
    for name, value in array(ID=1, MIN=0, MAX=3, STEP=1, COUNT=4).items():
        monkeypatch.setenv(name, value)
    hydra = SimpleNamespace(mode=RunMode[mode])
    monkeypatch.setattr(HydraConfig, "initialized", lambda: True)
    monkeypatch.setattr(HydraConfig, "get", lambda: hydra)
    assert embed_text.share(None, None, embed_text.environment()) == expected
    assert embed_text.share(2, 3, embed_text.environment()) == (2, 3)


def test_a_word_is_not_a_share() -> None:
    with pytest.raises(ValueError, match="task=a and tasks=2 are not whole numbers"):
        embed_text.share("a", 2, {})  # type: ignore[arg-type]


def test_outside_an_array_one_process_does_everything() -> None:
    assert embed_text.share(None, None, {}) == (0, 1)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two shards and an encoder of random weights."""
    monkeypatch.chdir(tmp_path)
    for number in range(2):
        samples = [sample(3 * number + n) for n in range(3)]
        shard.write(tmp_path / "laion" / f"{number:05d}.tar", samples)
    tokenizer = nano_t5.make_tokenizer()
    model = nano_t5.FullT5(nano_t5.make_config(len(tokenizer), 128, 1, 8))
    nano_t5.save(model, tokenizer, "encoders/t5_nano")
    return tmp_path


def embed(*words: str) -> None:
    embed_text.main(config.compose("embed_text", ["shards=laion", "text.device=cpu", *words]))


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("token_budget=a", "token_budget='a' is not a whole number of 1 or more"),
        ("token_budget=0", "token_budget=0 is not a whole number of 1 or more"),
        ("dry_run=true trial_captions=0", "trial_captions=0 is not a whole number of 1 or more"),
        ("dry_run=true train_gflops=0", "train_gflops=0 is not a number above 0"),
    ],
)
def test_an_impossible_number_is_named(place: Path, words: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        embed(*words.split())


class TestDryRun:
    def report(self, capsys: pytest.CaptureFixture[str]) -> str:
        embed("dry_run=true", "trial_seconds=0.01")
        return capsys.readouterr().out

    def test_reports_everything_and_which_indexes_it_wrote(
        self, place: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = set(place.rglob("*"))
        first = self.report(capsys)
        new = {path for path in set(place.rglob("*")) - before if path.is_file()}
        assert "captions/s measured" in first and "verdict" in first
        assert f"written  {len(new)} files in laion.meta" in first
        assert new and {path.parent for path in new} == {place / "laion.meta"}
        assert "written" not in self.report(capsys)
        assert {path for path in set(place.rglob("*")) - before if path.is_file()} == new

    def test_reports_the_same_disk_without_the_weights(
        self, place: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        whole = self.report(capsys).splitlines()
        (place / "encoders/t5_nano/model.safetensors").unlink()
        without = self.report(capsys).splitlines()
        assert without[:2] == whole[:2]
        assert without[2].startswith("hours    need the weights")
        assert "Make it with: python -m imagen_lit.pretrain_text" in without[2]

    def test_reports_bounds_on_the_disk_without_a_tokenizer(
        self, place: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for file in (place / "encoders/t5_nano").iterdir():
            file.unlink()
        captions = [sample(n)["caption"] for n in range(6)]
        least = sum(2 * 128 * (len(caption.split()) + 1) + 8 for caption in captions)
        most = 6 * (2 * 128 * 48 + 8)
        report = self.report(capsys)
        assert f"at least {least / 1000:.1f} kB in bfloat16" in report
        assert f"at most {most / 1000:.1f} kB" in report and "need the weights" in report


def test_sidecars_are_written_to_the_folder_that_is_set(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    embed(f"folder={place / 'elsewhere'}")
    assert f"2 new sidecars are in {place / 'elsewhere'}" in capsys.readouterr().out
    data = Data("laion", str(place / "elsewhere"), size=8, batch_size=1, validation=0)
    data.setup()
    assert data.encoder["encoder"] == "t5_nano"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_an_error_starts_on_a_line_of_its_own(
    place: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    is_terminal: bool,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    (place / "laion.text/t5_nano").mkdir(parents=True)
    (place / "laion.text/t5_nano/00001.safetensors").write_bytes(b"precious")
    with pytest.raises(ValueError, match="not a text embedding file of imagen_lit"):
        embed()
    ProgressLine.end()  # as every command does at its end, however that comes
    assert capsys.readouterr().err.endswith("1/2 sidecars\n")


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ("text.max_length=24", "max_length is '48' there, '24' here"),
        ("+text.layer=-2", "layer is '-1' there, '-2' here"),
        ("text.dtype=bfloat16", "compute_dtype is 'float32' there, 'bfloat16' here"),
        ("text.load._target_=transformers.MT5EncoderModel.from_pretrained", "class is 'T5Encoder"),
    ],
)
def test_embeddings_with_other_settings_are_not_trained_on(
    place: Path, change: str, difference: str
) -> None:
    embed()
    words = ["data=shards", "data.shards=laion", "data.validation=1", "data.size=16", "name=x"]
    with pytest.raises(ValueError) as error:
        train.train(config.compose("train", [*words, "stage.images=64", change]))
    assert difference in str(error.value)
    assert not (place / "runs/x/text.json").exists()


def test_embeddings_of_other_weights_are_not_trained_on(place: Path) -> None:
    embed()
    words = ["data=shards", "data.shards=laion", "data.validation=1", "data.size=16", "name=x"]
    file = place / "encoders/t5_nano/model.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    digest = "'[0-9a-f]{12}…'"
    with pytest.raises(ValueError, match=f"weights_sha256 is {digest} there, {digest} here"):
        train.train(config.compose("train", [*words, "stage.images=64"]))
    assert not (place / "runs/x/text.json").exists()


@pytest.mark.parametrize(("spike", "too_much"), [(1.0, False), (60.0, True)])
def test_int8_reports_when_it_loses_more_than_it_should(
    tmp_path: Path, spike: float, too_much: bool
) -> None:
    tokens = torch.randn(300, 10, 4096, generator=torch.Generator().manual_seed(0))
    tokens[7, 3, 5] = spike  # large in one token, in a channel that is small elsewhere
    fields = {"storage": "int8", "samples": "300", "format": sidecar_header.FORMAT}
    sidecar.write(tmp_path / "0.safetensors", list(tokens), fields)
    assert ("more than int8 should lose" in embed_text.measured_error(tmp_path)) == too_much
