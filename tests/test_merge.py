"""A run with adapters becomes an ordinary one, which draws the same."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_run import FINGERPRINT, TINY, leave_run

from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config
from imagen_lit.merge import merge
from imagen_lit.network import adapters
from imagen_lit.run import checkpoint, run_folder, start_weights
from imagen_lit.stage.training import Stage

LORA = ["+network/adapters@stage.denoiser.adapters=low_rank"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """demo/base, and beside it adapters of its network that have learnt something: lora."""
    runs = tmp_path_factory.mktemp("runs")
    base = leave_run(runs, "base")
    cfg = config.compose("train", [*TINY["base"], *LORA, f"runs={runs}", "name=lora"])
    folder = runs / "lora"
    run_folder.claim(folder, cfg)
    (folder / "text.json").write_text(json.dumps(FINGERPRINT))
    stage: Stage = config.build(cfg.stage)
    start_weights.give(stage, base, FINGERPRINT)
    start_weights.keep_frozen(stage, folder)
    for number, weight in enumerate(stage.ema.parameters()):
        if weight.shape[-1] == 8 or weight.shape[0] == 8:
            torch.manual_seed(number)
            torch.nn.init.normal_(weight, std=0.1)
    content: dict[str, Any] = {"state_dict": stage.state_dict()}
    stage.skips.state_dict = dict  # type: ignore[method-assign]
    stage.on_save_checkpoint(content)
    checkpoint.write(content, checkpoint.path(folder, 64))
    return runs


def test_a_checkpoint_holds_the_adapters_alone_and_is_read_whole(runs: Path) -> None:
    file = checkpoint.path(runs / "lora", 64)
    frozen = file.with_name(checkpoint.FROZEN)
    alone = torch.load(file, weights_only=True)["state_dict"]
    assert all(adapters.is_adapter(name) for name in alone)
    names = {f"denoiser.{name}" for name in torch.load(frozen, weights_only=True)["state_dict"]}
    assert not names & alone.keys() and names < checkpoint.read(file)["state_dict"].keys()
    assert file.stat().st_size < frozen.stat().st_size


def test_the_weights_beside_adapters_are_those_of_the_run_before(runs: Path) -> None:
    here = adapters.merged(run_folder.load_ema(runs / "lora"), 0)
    there = run_folder.load_ema(runs / "demo/base").state_dict()
    assert here.keys() == there.keys()
    assert all(torch.equal(here[name], there[name]) for name in there)


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_the_merged_run_is_an_ordinary_one_with_the_sums(runs: Path, strength: float) -> None:
    folder = runs / f"merged{strength}"
    merge(runs / "lora", folder, folder.name, strength)
    assert "adapters" not in run_folder.read_settings(folder)["stage"]["denoiser"]
    merged = run_folder.load_ema(folder)
    sums = adapters.merged(run_folder.load_ema(runs / "lora"), strength)
    assert all(torch.equal(weight, sums[name]) for name, weight in merged.state_dict().items())
    assert merged.frozen_names and run_folder.load_stage(folder).denoiser.frozen_names == []
    assert run_folder.text_difference(folder, FINGERPRINT) == ""
    base = run_folder.load_ema(runs / "demo/base").state_dict()
    is_base = all(torch.equal(weight, base[name]) for name, weight in merged.state_dict().items())
    assert is_base == (strength == 0)


def test_adapters_go_onto_another_run_of_the_same_network(runs: Path, tmp_path: Path) -> None:
    other = leave_run(tmp_path, "base", seed=5)
    merge(runs / "lora", tmp_path / "moved", "moved", into=other)
    moved = run_folder.load_ema(tmp_path / "moved").state_dict()
    start = run_folder.load_ema(other).state_dict()
    own = run_folder.load_ema(runs / "lora")
    for name, change in adapters.merged(own).items():
        expected = start[name] + change - adapters.merged(own, 0)[name]
        torch.testing.assert_close(moved[name], expected, atol=1e-6, rtol=1e-5)


def test_what_cannot_be_merged_says_why(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no adapters.*Set run="):
        merge(runs / "demo/base", tmp_path / "x", "x")
    with pytest.raises(InputError, match=r"already.*Choose another name="):
        merge(runs / "lora", runs / "demo/base", "demo/base")
    with pytest.raises(InputError, match=r"into=.* has another network.*Set into="):
        merge(runs / "lora", tmp_path / "x", "x", into=leave_run(tmp_path, "sr"))
    other = leave_run(tmp_path, "base")
    (other / "text.json").write_text(json.dumps({"encoder": "made up", "weights_sha256": "1"}))
    with pytest.raises(InputError, match=r"another text encoder.*weights_sha256.*Set text="):
        merge(runs / "lora", tmp_path / "x", "x", into=other)
    assert not (tmp_path / "x").exists()


def test_adapters_without_a_trained_network_are_refused() -> None:
    cfg = config.compose("train", [*TINY["base"], *LORA])
    with pytest.raises(InputError, match=r"change a trained network.*Set start_from="):
        start_weights.give(config.build(cfg.stage), None, FINGERPRINT)


def test_a_run_with_another_encoder_is_no_start(runs: Path) -> None:
    stage = config.build(config.compose("train", TINY["base"]).stage)
    with pytest.raises(InputError, match=r"start_from=.* another text encoder.*Set text="):
        start_weights.give(stage, runs / "demo/base", FINGERPRINT | {"weights_sha256": "2"})


def test_a_new_run_starts_from_what_a_run_with_adapters_draws(runs: Path) -> None:
    stage: Stage = config.build(config.compose("train", TINY["base"]).stage)
    start_weights.give(stage, runs / "lora", FINGERPRINT)
    sums = adapters.merged(run_folder.load_ema(runs / "lora"))
    assert all(torch.equal(sums[n], w) for n, w in stage.denoiser.state_dict().items())


@pytest.mark.parametrize("content", [None, b"", b"PK"])
def test_a_lost_or_damaged_file_of_frozen_weights_is_no_damaged_checkpoint(
    runs: Path, tmp_path: Path, content: bytes | None
) -> None:
    file = checkpoint.path(tmp_path, 64)
    file.parent.mkdir()
    file.write_bytes(checkpoint.path(runs / "lora", 64).read_bytes())
    if content is not None:
        file.with_name(checkpoint.FROZEN).write_bytes(content)
    with pytest.raises(InputError, match=r"frozen\.ckpt is .*Restore it"):
        checkpoint.newest_good(tmp_path)
