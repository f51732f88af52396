"""A plan: equal cells are one, what a cell needs comes before it, and names say what differs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from imagen_lit.ablation import definition, kept_checkpoints, preparation
from imagen_lit.ablation.cell import BY_HAND
from imagen_lit.ablation.plan import NAMELESS, Plan, plan
from imagen_lit.basics.errors import InputError
from imagen_lit.run import run_folder

WIDTHS = {"width": {"setting": "network.embedding", "values": [128, 64]}}
WEIGHTS = {"weight": {"setting": "cascade.base.recipe.guidance.weight", "values": [1, 3]}}
AGES = {"age": {"setting": "cascade.base.images", "values": [4_000, 4_010, 32_000]}}


def planned(tmp_path: Path, name: str = "mine", runs: str = "runs", **own: Any) -> Plan:
    """The plan of an ablation of the user's, composed as the command does."""
    content = {"arms": WIDTHS, "stages": ["base"], "seeds": [0], **own}
    content.setdefault("figures", {"curve": {"x": "a", "y": "b", "points": WEIGHTS}})
    file = tmp_path / f"sweeps/ablation/{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(content))
    found = definition.read(name, "demo")
    return plan(found, runs, preparation.differs, preparation.prepare, preparation.setting)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_what_a_cell_needs_comes_before_it(tmp_path: Path) -> None:
    found = planned(tmp_path, seeds=[0, 1])
    before: set[str] = set()
    for name, cell in found.cells.items():
        assert name == cell.name and set(cell.needs) <= before
        before.add(name)
    assert len(found.of("train")) == 4 and len(found.of("evaluate")) == 8
    commands = {cell.command for cell in found.cells.values()}
    assert {"build_shards", "pretrain_text", "embed_text", "fetch"} <= commands


def test_a_setting_that_equals_the_usual_one_is_not_in_the_name(tmp_path: Path) -> None:
    names = [cell.name.rpartition("/")[2] for cell in planned(tmp_path).of("train")]
    assert names == ["seed-0", "network.embedding-64+seed-0"], "128 is the network's own"
    drawn = {cell.name.rpartition("/")[2] for cell in planned(tmp_path).of("evaluate")}
    assert drawn == {"base.guidance.weight-1", "usual"}, "3 is the recipe's own weight"


def test_two_ablations_that_share_a_cell_share_its_name(tmp_path: Path) -> None:
    widths = planned(tmp_path)
    seeds = planned(
        tmp_path, "other", arms={"skip": {"setting": "network.blocks", "values": [[1, 2, 2]]}}
    )
    shared = set(widths.cells) & set(seeds.cells)
    assert {name for name in shared if name.startswith("ablation/")} == {
        "ablation/demo/base/seed-0",
        "ablation/demo/base_drawn/seed-0/usual",
        "ablation/demo/base_drawn/seed-0/base.guidance.weight-1",
    }
    for name in shared:
        assert widths.cells[name].command == seeds.cells[name].command


def test_points_of_two_figures_share_a_drawing(tmp_path: Path) -> None:
    figure = {"x": "a", "y": "b"}
    figures = {"one": {**figure, "points": WEIGHTS}, "two": {**figure, "points": WEIGHTS}}
    found = planned(tmp_path, figures=figures)
    assert found.points["one"] == found.points["two"] and len(found.of("evaluate")) == 4
    assert {point.at["weight"] for point in found.points["one"]} == {"1", "3"}


def test_a_training_keeps_the_checkpoints_that_figures_draw(tmp_path: Path) -> None:
    found = planned(tmp_path, figures={"curve": {"x": "a", "y": "b", "points": AGES}})
    for training in found.of("train"):
        kept = training.settings[kept_checkpoints.KEY]
        assert kept == [4_000, 4_010, 8_000, 16_000, 24_000, 32_000], "and those of scale=demo"
        assert "keep_at" not in training.name
    drawn = {cell.settings.get("cascade.base.images") for cell in found.of("evaluate")}
    assert drawn == {4_000, 4_032, None}, "whole batches of 32; the last is that of any drawing"


def kept(name: str, *others: str, scale: str = "demo") -> dict[str, list[int]]:
    """What each training of seed 0 keeps, beside these other ablations."""
    own = definition.read(name, scale, {"seeds": [0]})
    beside = [definition.read(other, scale) for other in others]
    of_commands = preparation.differs, preparation.prepare, preparation.setting
    trainings = plan(own, "runs", *of_commands, beside).of("train")
    return {each.name: each.settings.get(kept_checkpoints.KEY, []) for each in trainings}


def test_whichever_ablation_trains_first_keeps_what_the_other_draws() -> None:
    names = ("sr_guidance", "efficient_unet")
    first, last = (kept(*each) for each in (names, names[::-1]))
    shared = "ablation/demo/sr/seed-0"
    assert kept("sr_guidance")[shared] == [] and first[shared] == last[shared] != []
    for name in first.keys() & last.keys():
        assert first[name] == last[name]


def test_the_command_plans_for_all_ablations_at_its_scale(tmp_path: Path) -> None:
    broken = tmp_path / "sweeps/ablation/broken.yaml"
    broken.parent.mkdir(parents=True)
    broken.write_text("stages: [none]")
    for scale in ("demo", "emoji"):
        found = {each.name: each for each in definition.at_scale(scale)}
        assert {"sr_guidance", "efficient_unet", "text_encoder"} <= found.keys()
        assert "broken" not in found


def test_a_figure_cannot_draw_what_no_training_sees(tmp_path: Path) -> None:
    figures = {"curve": {"x": "a", "y": "b", "points": AGES}}
    with pytest.raises(InputError, match=r"curve draws after 32,000 images, and .* sees 64"):
        planned(tmp_path, figures=figures, settings={"base": {"stage.images": 64}})


def test_a_change_of_the_training_names_it_and_a_change_of_the_machine_does_not(
    tmp_path: Path,
) -> None:
    train = {"stage.images": 64, "trainer.devices": 1, "data.shards": "elsewhere", "device": "cpu"}
    (first, _) = planned(tmp_path, train=train, data={"folder": "elsewhere"}).of("train")
    assert first.name == "ablation/demo/base/seed-0+stage.images-64"
    assert first.settings["data.shards"] == "elsewhere" and first.settings["device"] == "cpu"


def test_the_precision_names_a_drawing_and_no_training(tmp_path: Path) -> None:
    half = {"precision": "bf16-mixed"}
    usual, own = planned(tmp_path), planned(tmp_path, train=half, evaluate=half)
    assert [each.name for each in own.of("train")] == [each.name for each in usual.of("train")]
    assert all("precision-bf16-mixed" in each.name for each in own.of("evaluate"))


def test_no_setting_that_changes_what_is_learnt_is_nameless() -> None:
    free = (*run_folder.CHANGEABLE, *run_folder.PATHS)
    of_drawings = ("batch", "feature_folder")
    for key in NAMELESS:
        assert key in of_drawings or any(f"{key}.".startswith(f"{each}.") for each in free), key


def test_another_place_for_runs_is_in_every_line(tmp_path: Path) -> None:
    found = planned(tmp_path, runs="elsewhere")
    for cell in [*found.of("train"), *found.of("evaluate")]:
        assert cell.settings["runs"] == "elsewhere" and not cell.name.startswith("elsewhere")
    (drawing, *_) = found.of("evaluate")
    assert str(drawing.settings["cascade.base.run"]).startswith("elsewhere/ablation/")


def test_what_comes_from_elsewhere_is_done_by_hand() -> None:
    found = definition.read("text_encoder", "paper", {}, {"encoder": ["bert_base"]})
    cells = plan(found, "runs", preparation.differs, preparation.prepare, preparation.setting).cells
    by_hand = {name: cell.line for name, cell in cells.items() if cell.command == BY_HAND}
    assert "hf download" in by_hand["encoders/bert_base"]
    assert any("gh release download" in line for line in by_hand.values())


@pytest.mark.parametrize(
    ("key", "value", "is_different"),
    [
        ("text", "t5_nano", False),
        ("text", "t5_nano_16", True),
        ("network.embedding", 128, False),
        ("network.embedding", 64, True),
        ("seed", 0, False),
        ("network.channels", [32, 64, 96], False),
    ],
)
def test_what_differs_is_what_another_config_has(key: str, value: Any, is_different: bool) -> None:
    usual: Mapping[str, Any] = {"stage": "demo_base"}
    assert preparation.differs("train", usual, key, value) is is_different
    changed = preparation.compose("train", {**usual, key: value})
    assert (changed != preparation.compose("train", usual)) is is_different


def test_a_misspelt_setting_of_a_training_is_told_from_the_trainings_own() -> None:
    with pytest.raises(InputError, match=r"of the settings of train: .*did you mean stage\.images"):
        preparation.setting("train", {"stage.imagez": 3}, "stage.images")
