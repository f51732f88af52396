"""A cascade stops after any stage and goes on from its files, as if it had been drawn whole; and a
stage that words the prompts otherwise changes nothing below it."""

import json
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from tiny_run import FINGERPRINT, Encoder, leave_runs

from imagen_lit import sample
from imagen_lit.basics import png_metadata
from imagen_lit.basics.errors import InputError
from imagen_lit.cascade import image_files, prompt_template
from imagen_lit.cascade.cascade import Cascade
from imagen_lit.cascade.drawing_pass import DrawingPass
from imagen_lit.cli import config
from imagen_lit.evaluate import main
from imagen_lit.run import provenance

FAST = ["cascade.base.recipe.steps=2", "cascade.sr.recipe.steps=1", "~cascade.sr2"]
OIL = "cascade.sr.prompt='oil {prompt}'"
PROMPTS = "prompts=[a red circle, two pink crosses]"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return leave_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture
def draw(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`sample` or `evaluate` into a folder, with an encoder that needs no files."""
    build = config.build
    monkeypatch.setattr(config, "build", lambda n: Encoder() if "max_length" in n else build(n))

    def run(out: str, *words: str, command: Any = sample.main) -> Path:
        name = "sample" if command is sample.main else "evaluate"
        own = [PROMPTS] if name == "sample" else ["prompts.count=2", "name=x/y"]
        folder = tmp_path / out
        command(config.compose(name, [f"runs={runs}", f"out={folder}", *FAST, *own, *words]))
        return folder

    return run


def contents(folder: Path, pattern: str) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.glob(pattern)}


def test_a_cascade_that_goes_on_from_files_is_the_cascade_drawn_whole(draw: Any) -> None:
    whole = draw("whole")
    base = draw("base", "stop_after=base")
    assert not (base / "sr").exists()
    rest = draw("rest", f"start_from={base}")
    assert not (rest / "base").exists()
    assert contents(base, "base/*.png") == contents(whole, "base/*.png")
    assert contents(rest, "sr/*.png") == contents(whole, "sr/*.png")
    assert len(contents(rest, "sr/*.png")) == 2


def test_evaluations_draw_the_lower_stage_once_and_say_whose_it_is(draw: Any) -> None:
    base = draw("base", "stop_after=base", command=main)
    whole = draw("whole", command=main)
    levels = [
        draw(f"{level}", f"start_from={base}", f"cascade.sr.recipe.aug_level={level}", command=main)
        for level in (0.05, 0.3)
    ]
    for folder in levels:
        assert not list(folder.glob("images/*/base")) and (folder / "scores.json").exists()
        record = json.loads((folder / "provenance.json").read_text())
        assert {*record["cascade"]} == {"_target_", "sr"} and list(record["weights"]) == ["sr"]
        lower = record["start_from"]
        assert lower["stage"] == "base" and lower["cascade"]["base"]["recipe"]["steps"] == 2
    same, other = (contents(folder, "images/*/sr/*.png") for folder in levels)
    assert same == contents(whole, "images/*/sr/*.png") != other and len(same) == 2
    digests = [
        provenance.digest(json.loads((f / "provenance.json").read_text())) for f in (whole, *levels)
    ]
    assert digests[0] == digests[1] != digests[2], "one name for one image"


def test_a_part_that_is_not_there_is_refused_before_anything_is_drawn(
    draw: Any, runs: Path, tmp_path: Path
) -> None:
    base = draw("base", "stop_after=base")
    refusals = {
        "stop_after=sr3": r"stop_after=sr3 is no stage of the cascade, which has base, sr\. Set",
        "start_at=sr stop_after=base": r"stop_after=base lies before sr.*Set stop_after=sr",
        "start_at=sr": r"enlarges a smaller image.*start_from=",
        f"start_from={base} start_at=base": r"base is not a later stage.*Set start_at=",
        f"start_from={runs}": r"has no images of stage 'base'\. Set start_from=",
        f"start_from={base} seed=5": r"no image of 'a red circle' with seed 5.*draw it there",
    }
    for words, message in refusals.items():
        with pytest.raises(InputError, match=message):
            draw("new", *words.split())
    assert not (tmp_path / "new").exists()


def test_saved_images_that_were_drawn_otherwise_than_each_other_are_refused(draw: Any) -> None:
    base = draw("base", "stop_after=base")
    other = draw("other", "stop_after=base", "cascade.base.recipe.steps=1")
    name = next((base / "base").iterdir()).name
    (base / "base" / name).write_bytes((other / "base" / name).read_bytes())
    with pytest.raises(InputError, match=r"drawn otherwise than each other.*steps is .*draw them"):
        draw("new", f"start_from={base}")


def test_another_wording_changes_the_stages_from_that_one_on(draw: Any) -> None:
    plain, oil = draw("plain"), draw("oil", OIL)
    assert contents(plain, "base/*.png") == contents(oil, "base/*.png")
    one, other = contents(plain, "sr/*.png"), contents(oil, "sr/*.png")
    assert one.keys() == other.keys() and not set(one.values()) & set(other.values())
    facts = png_metadata.read(next((oil / "sr").iterdir()))
    assert facts["cascade"]["sr"]["prompt"] == "oil {prompt}"
    assert "prompt" not in facts["cascade"]["base"]
    records = [
        json.loads((f / "provenance.json").read_text())
        for f in (plain, oil)
        if (f / "provenance.json").exists()
    ]
    assert len({provenance.digest(record) for record in records}) == len(records)
    with pytest.raises(InputError, match=r"cascade\.sr\.prompt is 'oil \{prompt\}' there, absent"):
        draw("oil")
    again = draw("again", OIL, f"start_from={plain}")
    assert contents(again, "sr/*.png") == other


def test_an_image_worded_otherwise_is_drawn_again_from_its_own_metadata(
    draw: Any, tmp_path: Path
) -> None:
    for file in (draw("oil", OIL) / "sr").iterdir():
        facts = png_metadata.read(file)
        package = "imagen_lit.cascade"
        stages = {
            stage: {"_target_": f"{package}.trained_stage.TrainedStage"}
            | {k: known[k] for k in ("run", "recipe", "prompt") if k in known}
            for stage, known in facts["cascade"].items()
        }
        cascade: Cascade = config.build({"_target_": f"{package}.cascade.Cascade", **stages})
        source = provenance.describe(cascade.weights, FINGERPRINT, {"cascade": stages})
        request, folder = (facts["prompt"], facts["seed"]), tmp_path / "again"
        shape = DrawingPass.of(Encoder(), [request[0]] * 2, 32, cascade.templates)
        list(image_files.draw(cascade, Encoder(), source, [request], folder, shape))
        assert (folder / "sr" / file.name).read_bytes() == file.read_bytes()


def test_braces_hold_the_prompt_and_nothing_else() -> None:
    assert prompt_template.fill("an oil {prompt}", "") == "", "no text stays no text"
    prompt_template.refuse_unknown("cascade.sr.prompt", "{prompt}, in oil")
    with pytest.raises(
        InputError, match=r"^cascade\.sr\.prompt='an oil \{promt\}' has braces.*Set"
    ):
        prompt_template.refuse_unknown("cascade.sr.prompt", "an oil {promt}")


def test_a_record_of_earlier_versions_asks_for_the_same(runs: Path) -> None:
    cfg = config.compose("sample", [f"runs={runs}", "~cascade.sr2"]).cascade
    now = OmegaConf.to_container(cfg, resolve=True)
    earlier = json.loads(json.dumps(now))
    for stage in ("base", "sr"):
        for key in ("prompt", "negative", "guide"):
            del earlier[stage][key]
    weights = config.build(cfg).weights
    records = [provenance.describe(weights, {}, {"cascade": each}) for each in (now, earlier)]
    assert len({provenance.digest(each) for each in records}) == 1
    assert provenance._request(records[0]) == provenance._request(records[1])
