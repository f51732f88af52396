"""How a run differs from the paper, against what one reads in both configs by eye."""

import copy
import functools
import importlib
from typing import Any

import pytest
from omegaconf import OmegaConf

from imagen_lit.cli import config
from imagen_lit.paper import deviation, flat_settings, reference, unnamed_choice
from imagen_lit.paper.deviation import Deviation


def settings(*words: str) -> dict[str, Any]:
    """As config.yaml of a run with these words has them."""
    return copy.deepcopy(composed(words))


@functools.cache
def composed(words: tuple[str, ...]) -> Any:
    cfg = config.compose("train", ["data.shards=mine", *words])
    return OmegaConf.to_container(cfg, resolve=True)


def rows(*words: str) -> dict[str, Deviation]:
    return {row.setting: row for row in deviation.deviations(settings(*words))}


PAPER = [["stage=base64"], ["stage=sr256"], ["stage=sr1024"]]


@pytest.mark.parametrize("words", PAPER, ids=lambda words: words[0])
def test_the_papers_own_stages_do_nothing_that_it_states_otherwise(words: list[str]) -> None:
    found = rows(*words)
    assert {row.kind for row in found.values()} == {deviation.SILENT, deviation.IN_CODE}
    assert found["stage · ema half life"].paper == "not stated"
    assert found["stage · cooldown"].paper == "see App. F"
    assert found["times of a batch"].kind == deviation.IN_CODE


@pytest.mark.parametrize(
    ("words", "stage"),
    [
        (["stage=demo_base"], "base64"),
        (["stage=small64"], "base64"),
        (["stage=demo_sr"], "sr256"),
        (["stage=demo_sr2"], "sr256"),
        (["stage=sr1024"], "sr1024"),
        (["stage=sr256", "data.size=1024"], "sr1024"),
    ],
)
def test_a_run_is_compared_with_the_stage_that_it_is(words: list[str], stage: str) -> None:
    assert reference.stage_of(settings(*words)) == stage


def test_the_demos_base_differs_in_what_one_sees_in_both_files() -> None:
    found = rows("stage=demo_base")
    assert found["network · channels"] == Deviation(
        deviation.STATED,
        "network · channels",
        "[512, 1024, 1536, 2048] (F.1)",
        "[32, 64, 96]",
        deviation.OWN,
    )
    assert (found["optimizer"].paper, found["optimizer"].here) == ("Adafactor (F.1)", "Muon")
    assert found["optimizer"].choice.startswith("ours: ")
    assert found["diffusion · prediction"].paper == "Epsilon (App. A)"
    assert found["stage · images"].paper == "5,120,000,000 (§ 4.1)"
    assert "stage · condition · drop" not in found, "0.1 in both (§ 4.1)"
    assert "optimizer · decay" not in found, "what only Adafactor has follows from it"


def test_the_printed_network_is_the_papers_and_the_400m_is_not() -> None:
    assert rows("stage=sr1024")["network · blocks"].choice == "ours: F.3 prints 2, 4, 8, 8"
    printed = rows("stage=sr1024", "network=efficient_unet_1024_printed")["network · blocks"]
    assert printed.choice.startswith("the paper's, elsewhere: num_resblocks (F.3)")


def test_a_key_without_a_source_is_said_to_be_ours() -> None:
    run = settings("stage=base64")
    run["network"]["pooling"] = "mean"
    run["stage"]["denoiser"]["network"]["pooling"] = "mean"
    found = {row.setting: row for row in deviation.deviations(run)}
    assert (found["network · pooling"].paper, found["network · pooling"].here) == (
        "not recorded",
        "mean",
    )
    assert found["network · pooling"].choice == "ours, source not recorded"


def test_what_the_stage_holds_counts_wherever_it_was_typed() -> None:
    run = settings("stage=base64")
    run["stage"]["optimizer"]["lr"] = 0.3
    found = {row.setting: row for row in deviation.deviations(run)}
    assert found["optimizer · lr"].here == "0.3"


def test_machine_and_log_are_no_deviation() -> None:
    plain = rows("stage=base64")
    words = ["name=a/b", "seed=3", "device=cpu", "logger=files", "data.workers=1", "tf32=true"]
    words += ["network.checkpointing=true", "callbacks=preview", "data/prompts=file"]
    assert rows("stage=base64", *words) == plain


def test_half_a_config_is_compared_as_far_as_it_goes() -> None:
    run = settings("stage=base64")
    run = {"stage": run["stage"], "data": {"size": 64}, "odd": [1, {"a": None}]}
    found = {row.setting: row for row in deviation.deviations(run)}
    assert "data · crop" not in found, "the paper crops nothing there"
    assert found["data · batch size"].here == "not set"
    assert found["odd"].choice == "ours, source not recorded"
    assert "text · name" not in found and "trainer · precision" not in found


@pytest.mark.parametrize(
    "run",
    [
        {},
        {"stage": {}},
        {"stage": {"condition": None}},
        {"stage": {"condition": {"_target_": 3}}},
        {"stage": {"condition": {"_target_": "x.TextAndLowRes"}}, "data": {"size": "big"}},
        {"stage": {"condition": {"_target_": "mine.Depth"}}},
    ],
)
def test_what_is_no_stage_of_the_paper_has_no_rows(run: dict[str, Any]) -> None:
    assert deviation.deviations(run) == [] and deviation.stage_words(run) is None


def test_settings_of_any_depth_and_kind_have_rows() -> None:
    deep: dict[str, Any] = {"stage": {"condition": {"_target_": "x.TextOnly", 3: True}}}
    node = deep["stage"]
    for _ in range(40):
        node["more"] = {}
        node = node["more"]
    assert all(row.choice for row in deviation.deviations(deep))


@pytest.mark.parametrize("stage", sorted(reference.STAGES))
def test_every_key_is_in_one_place(stage: str) -> None:
    paper = reference.of(stage)
    assert paper.values.keys() == paper.sources.keys()
    assert flat_settings.compared(paper.values) == paper.values
    assert not {*paper.values} & {*paper.copies}


@pytest.mark.parametrize("each", unnamed_choice.CHOICES, ids=lambda each: each.what)
def test_an_unnamed_choice_names_what_is_there(each: unnamed_choice.UnnamedChoice) -> None:
    module, _, name = each.symbol.rpartition(".")
    assert hasattr(importlib.import_module(module), name)
    assert each.paper and each.here and each.stages


def test_a_setting_takes_the_place_of_an_unnamed_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    named = unnamed_choice.UnnamedChoice(
        "scale", "B.1", "1", "", "a.b", setting="network.skip_scale"
    )
    monkeypatch.setattr(unnamed_choice, "CHOICES", (named,))
    assert unnamed_choice.of("sr256", {}) == [named]
    assert unnamed_choice.of("sr256", {"network.skip_scale": "1"}) == []
