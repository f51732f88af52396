"""An evaluation is of the weights and settings that it names, and destroys no other."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from omegaconf import OmegaConf
from PIL import Image
from tiny_run import Encoder, leave_run
from tiny_world import sample

from imagen_lit.basics import pixels
from imagen_lit.basics.errors import InputError
from imagen_lit.cascade.evaluation import evaluate
from imagen_lit.cli import config
from imagen_lit.data.loader import Data
from imagen_lit.data.prompts.captions import Captions
from imagen_lit.data.prompts.file import TextFile
from imagen_lit.data.prompts.prompt_sheet import prompt_sheet
from imagen_lit.data.prompts.source import Source
from imagen_lit.data.shard_files import shard
from imagen_lit.evaluate import main, request, table
from imagen_lit.run import checkpoint, provenance

BASE = ["cascade=demo_base", "cascade.base.recipe.steps=1"]


def run(runs: Path, *words: str, report: Any = print) -> dict[str, Any]:
    cfg = config.compose("evaluate", [*BASE, "prompts.count=4", f"runs={runs}", *words])
    cascade, prompts = config.build(cfg.cascade), config.build(cfg.prompts)
    return evaluate(cascade, Encoder(), prompts, Path(cfg.out), 4, request(cfg), report)


def contents(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def kept(folder: Path, name: str) -> Path:
    """What other weights left under this name."""
    stem, _, suffix = name.rpartition(".")
    (file,) = folder.glob(f"{stem}_*.{suffix}")
    return file


@pytest.mark.parametrize("images", [64, 128], ids=["same length", "trained on"])
def test_an_evaluation_of_other_weights_replaces_none(tmp_path: Path, images: int) -> None:
    leave_run(tmp_path, "base", images=64, seed=0)
    run(tmp_path)
    folder = tmp_path / "demo/evaluation"
    before = contents(folder)
    leave_run(tmp_path, "base", images=images, seed=1)
    run(tmp_path)
    after = contents(folder)
    drawn = {file for file in before if "images" in file.parts}
    assert len(drawn) == 4 and all(after[file] == before[file] for file in drawn)
    assert sum("images" in file.parts for file in after) == 8
    for name in ("scores.json", "results.jsonl", "provenance.json"):
        assert kept(folder, name).read_bytes() == before[folder / name]
        assert after[folder / name] != before[folder / name]
    for line in kept(folder, "results.jsonl").read_text().splitlines():
        assert folder / json.loads(line)["image"] in drawn


@pytest.mark.parametrize("damage", ["no network", "no weights"])
def test_weights_that_cannot_draw_take_no_name_from_earlier_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    leave_run(tmp_path, "base", images=64, seed=0)
    run(tmp_path)
    before = contents(tmp_path / "demo/evaluation")
    base = leave_run(tmp_path, "base", images=128, seed=1)
    if damage == "no network":
        settings = OmegaConf.load(base / "config.yaml")
        del settings.stage.denoiser.network
        OmegaConf.save(settings, base / "config.yaml")
    else:
        checkpoint.write({"state_dict": {}}, checkpoint.path(base, 128))
    capsys.readouterr()
    with pytest.raises(InputError):
        run(tmp_path)
    assert contents(tmp_path / "demo/evaluation") == before
    assert "stays" not in capsys.readouterr().out


def test_an_interrupted_evaluation_lies_beside_no_other_scores(tmp_path: Path) -> None:
    leave_run(tmp_path, "base", images=64, seed=0)
    run(tmp_path)
    folder = tmp_path / "demo/evaluation"
    before = contents(folder)
    leave_run(tmp_path, "base", images=128, seed=1)

    def interrupt(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, report=interrupt)
    assert not (folder / "scores.json").exists() and not (folder / "results.jsonl").exists()
    assert kept(folder, "scores.json").read_bytes() == before[folder / "scores.json"]
    assert run(tmp_path)["provenance"]["weights"]["base"]["images_seen"] == 128
    assert kept(folder, "scores.json").read_bytes() == before[folder / "scores.json"]


def test_an_evaluation_that_drew_nothing_claims_no_folder(tmp_path: Path) -> None:
    leave_run(tmp_path, "base", images=64, seed=0)
    folder = tmp_path / "demo/evaluation"
    source = run(tmp_path)["provenance"]
    for file in contents(folder):
        if file.name != provenance.FILE:
            file.unlink()
    assert source["prompts"]["count"] == 4
    assert run(tmp_path, "prompts.count=3")["provenance"]["n"] == 3
    assert {file.name for file in folder.glob("*.json")} == {"scores.json", provenance.FILE}
    with pytest.raises(InputError, match=r"prompts\.count is 3 there, 4 here"):
        run(tmp_path)


def test_a_start_killed_while_it_sets_scores_aside_is_continued(tmp_path: Path) -> None:
    leave_run(tmp_path, "base", images=64, seed=0)
    digest = provenance.digest(run(tmp_path)["provenance"])
    folder = tmp_path / "demo/evaluation"
    before = contents(folder)
    leave_run(tmp_path, "base", images=128, seed=1)
    (folder / "scores.json").rename(folder / f"scores_{digest}.json")
    run(tmp_path)
    for name in ("scores.json", "results.jsonl", "provenance.json"):
        assert kept(folder, name).read_bytes() == before[folder / name]


def test_a_run_that_is_missing_is_named_before_other_settings(tmp_path: Path) -> None:
    leave_run(tmp_path, "base")
    run(tmp_path)
    with pytest.raises(ValueError, match=r"no run in .*nothing.*cascade\.base\.run=") as refusal:
        run(tmp_path, f"cascade.base.run={tmp_path}/nothing")
    assert " there, " not in str(refusal.value)


def test_a_run_that_has_trained_on_is_evaluated_again(tmp_path: Path) -> None:
    for images in (64, 128):
        leave_run(tmp_path, "base", images, seed=images)
        weights = run(tmp_path)["provenance"]["weights"]["base"]
        assert weights["images_seen"] == images


def test_the_same_weights_are_not_drawn_twice(tmp_path: Path) -> None:
    leave_run(tmp_path, "base")
    run(tmp_path)
    drawn = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("images/**/*.png")}
    run(tmp_path)
    assert drawn and drawn == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("images/**/*.png")}


def test_progress_is_counted_by_whole_batches(tmp_path: Path) -> None:
    """The images of a batch appear at once: counted one by one, the time left would jump."""
    leave_run(tmp_path, "base")
    counted: list[tuple[int, int]] = []
    run(tmp_path, "prompts.count=12", report=lambda *count: counted.append(count))
    assert counted == [(4, 12), (8, 12), (12, 12)]
    for image in sorted((tmp_path / "demo/evaluation/images").rglob("*.png"))[:6]:
        image.unlink()
    counted.clear()
    run(tmp_path, "prompts.count=12", report=lambda *count: counted.append(count))
    assert counted == [(10, 12), (12, 12)]


@pytest.mark.parametrize("word", ["cascade.base.recipe.steps=2", "prompts.count=8"])
def test_other_settings_under_one_name_are_refused_harmlessly(tmp_path: Path, word: str) -> None:
    leave_run(tmp_path, "base")
    run(tmp_path)
    before = contents(tmp_path)
    key, _, value = word.partition("=")
    with pytest.raises(ValueError, match=rf"{key} is \d there, {value} here.*name=") as refusal:
        run(tmp_path, word)
    assert str(refusal.value).count(" there, ") == 1
    assert contents(tmp_path) == before
    run(tmp_path, word, "name=demo/other")
    lines = (tmp_path / "demo/other/results.jsonl").read_text().splitlines()
    assert {json.loads(line)["stage"] for line in lines} == {"base"}
    assert before.items() <= contents(tmp_path).items()


def own(folder: Path) -> Data:
    """Images of one's own, of which four are held back."""
    shard.write(folder / "00000.tar", [sample(number) for number in range(24)])
    return Data(str(folder), "fake", 16, 8, validation=4)


def evaluate_own(runs: Path, source: Source, data: Data) -> dict[str, Any]:
    cfg = config.compose("evaluate", [*BASE, f"runs={runs}"])
    prompts, folder = source.of(data), runs / "own"
    return evaluate(config.build(cfg.cascade), Encoder(), prompts, folder, 4, request(cfg), print)


def test_the_share_of_all_prompts_is_printed_once(tmp_path: Path) -> None:
    leave_run(tmp_path, "base")
    scores = run(tmp_path)
    lines = [line.split() for line in table(scores).splitlines()]
    assert [line[1] for line in lines if line[0] == "base"].count("exact") == 1
    assert not [line for line in lines if line[:2] == ["base", "all"]]


def test_prompts_that_nobody_can_judge_get_images_and_no_score(tmp_path: Path) -> None:
    leave_run(tmp_path, "base")
    data = own(tmp_path / "shards")
    scores = evaluate_own(tmp_path, Captions(8), data)
    assert "score/alignment" not in scores and scores["provenance"]["n"] == 4
    assert not any(row["metric"].startswith("exact") for row in scores["scores"])
    assert "the exact reader does not know them" in table(scores)
    rows = [json.loads(row) for row in (tmp_path / "own/results.jsonl").read_text().splitlines()]
    captions = Captions(8).of(data)
    assert [(row["prompt"], row["seed"]) for row in rows] == list(
        zip(captions.prompts, captions.seeds, strict=True)
    )
    assert all(set(row) == {"stage", "prompt", "seed", "image"} for row in rows)
    images = np.stack([pixels.load_png(tmp_path / "own" / row["image"]) for row in rows])
    sheet = Image.open(tmp_path / "own/sheet.png")
    assert np.array_equal(sheet, prompt_sheet(captions, images))


def test_other_prompts_of_one_file_are_another_evaluation(tmp_path: Path) -> None:
    leave_run(tmp_path, "base")
    data, file = own(tmp_path / "shards"), tmp_path / "prompts.txt"
    file.write_text("a cat\n")
    evaluate_own(tmp_path, TextFile(str(file)), data)
    before = contents(tmp_path / "own")
    file.write_text("a dog\n")
    with pytest.raises(ValueError, match=r"prompts_sha256 is .* there"):
        evaluate_own(tmp_path, TextFile(str(file)), data)
    assert contents(tmp_path / "own") == before


def test_prompts_of_the_shapes_world_are_refused_for_a_run_on_other_images(tmp_path: Path) -> None:
    run_folder = leave_run(tmp_path, "base")
    own(tmp_path / "shards")
    settings = OmegaConf.load(run_folder / "config.yaml")
    settings.data.shards = str(tmp_path / "shards")
    OmegaConf.save(settings, run_folder / "config.yaml")
    words = ["cascade=base", f"cascade.base.run={run_folder}", f"runs={tmp_path}"]
    with pytest.raises(ValueError, match=r"shards holds other images.*Set data/prompts=captions"):
        main(config.compose("evaluate", words))
    assert not (tmp_path / "demo/evaluation").exists()


def test_a_run_that_an_evaluation_lacks_is_named_with_its_key(tmp_path: Path) -> None:
    words = ["cascade=imagen", f"cascade.base.run={tmp_path}/none", f"runs={tmp_path}"]
    with pytest.raises(ValueError, match=r"no run in .*none, .*cascade\.base\.run=\.\.\."):
        main(config.compose("evaluate", words))
    assert not any(tmp_path.iterdir())


def test_an_empty_batch_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"batch=0 is not a whole number of 1 or more\. Set it to 1 or more"
    ):
        main(config.compose("evaluate", [f"runs={tmp_path}", "batch=0"]))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["results.jsonl", "scores.json", "sheet.png"])
def test_files_of_another_origin_are_not_overwritten(tmp_path: Path, name: str) -> None:
    leave_run(tmp_path, "base")
    other = tmp_path / "mine"
    other.mkdir()
    (other / name).write_text("somebody's")
    with pytest.raises(ValueError, match=rf"mine holds {name} without provenance\.json.* name="):
        run(tmp_path, "name=mine")
    assert [file.name for file in other.iterdir()] == [name]


def test_another_sheet_in_an_evaluation_is_not_overwritten(tmp_path: Path) -> None:
    leave_run(tmp_path, "base")
    run(tmp_path)
    run(tmp_path)
    sheet = tmp_path / "demo/evaluation/sheet.png"
    sheet.write_bytes(b"somebody's")
    with pytest.raises(ValueError, match=r"sheet\.png is no sheet of an evaluation.*Rename it"):
        run(tmp_path)
    assert sheet.read_bytes() == b"somebody's"
