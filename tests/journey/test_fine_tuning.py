"""docs/fine_tuning.md on a very small scale: pictures, a prior, adapters, a merge, a word."""

import json
import re
import shlex
from pathlib import Path

import pytest
import torch
from laptop import SMALL, run

from imagen_lit.cli import config
from imagen_lit.network import adapters
from imagen_lit.run import checkpoint, run_folder

PAGE = Path(__file__).resolve().parents[2] / "docs/fine_tuning.md"
FENCE = re.compile(r"^```\n(.*?)^```$", re.MULTILINE | re.DOTALL)

LORA = ["+experiment=dreambooth", "+network/adapters@stage.denoiser.adapters=low_rank"]
LORA += [*SMALL[:4], "start_from=runs/demo/base", "data.shards=datasets/zorp"]
LORA += ["callbacks.checkpoint.every=8", "stage.cooldown=0", "stage.denoiser.adapters.layers=all"]
FEW = ["cascade=demo_base", "cascade.base.recipe.steps=1"]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return dict(checkpoint.read(checkpoint.newest_good(folder))["state_dict"])


@pytest.fixture(scope="module")
def tuned(home: Path) -> Path:
    """Pictures of the new shape, pictures that the base drew, and adapters that learnt both."""
    run("build_shards", "data/source=new_shape", "folder=datasets/zorp", folder=home)
    run("embed_text", "shards=datasets/zorp", folder=home)
    prior = ["data/prompts=shard_captions", "prompts.shards=datasets/demo", "prompts.count=6"]
    run("evaluate", *FEW, *prior, "prompts.validation=null", "name=zorp/prior", folder=home)
    table = ["data/source=table", "source.path=runs/zorp/prior/results.jsonl"]
    table += ["source.caption=prompt", "folder=datasets/prior"]
    run("build_shards", *table, folder=home)
    run("embed_text", "shards=datasets/prior", folder=home)
    run("train", *LORA, "stage.images=32", "name=zorp/lora", folder=home)
    return home


def test_only_adapters_change_and_each_checkpoint_holds_them_alone(tuned: Path) -> None:
    denoiser = run_folder.load_ema(tuned / "runs/zorp/lora")
    before = run_folder.load_ema(tuned / "runs/demo/base").state_dict()
    after = adapters.merged(denoiser, strength=0)
    assert all(torch.equal(before[name], after[name]) for name in before)
    files = checkpoint.saved(tuned / "runs/zorp/lora")
    for file in files:
        there = torch.load(file, weights_only=True)["state_dict"]
        assert there and all(adapters.is_adapter(name) for name in there)
    ups = [w for name, w in denoiser.named_parameters() if name.endswith(".up")]
    assert all(weight.any() for weight in ups), "each has learnt something"


def test_a_resumed_run_has_the_same_adapters_bit_for_bit(tuned: Path) -> None:
    for images in (16, 32):
        run("train", *LORA, f"stage.images={images}", "name=zorp/resumed", folder=tuned)
    ours, theirs = (weights(tuned / "runs/zorp" / name) for name in ("resumed", "lora"))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_the_merged_run_draws_what_the_adapters_draw(tuned: Path) -> None:
    run("merge", "run=runs/zorp/lora", "name=zorp/merged", folder=tuned)
    for name in ("lora", "merged"):
        words = [f"cascade.base.run=runs/zorp/{name}", f"out={name}", "prompts=a red zorp"]
        run("sample", *FEW, *words, folder=tuned)
    ours, theirs = (next((tuned / name / "base").glob("*.png")) for name in ("merged", "lora"))
    from PIL import Image

    assert Image.open(ours).tobytes() == Image.open(theirs).tobytes()


def test_a_learnt_word_is_judged_and_its_images_are_told_apart(tuned: Path) -> None:
    words = ["word=zorp", "shards=datasets/zorp", "run=runs/demo/base", "like=circle"]
    unknown = run("learn_word", *words[:3], "like=qwxz", folder=tuned, expect=1)
    assert "does not know it" in unknown.stderr
    run("learn_word", *words, "images=16", folder=tuned)
    asked = ["data/prompts=new_shape", "prompts.count=3", *FEW]
    with_word = "+text.words=[words/zorp.safetensors]"
    run("evaluate", *asked, with_word, "name=zorp/word", folder=tuned)
    run("evaluate", *asked, "name=zorp/before", folder=tuned)
    rows = [
        json.loads(line)
        for line in (tuned / "runs/zorp/word/results.jsonl").read_text().splitlines()
    ]
    assert [row["category"] for row in rows] == ["alone", "held_out", "alone"]
    texts = [
        json.loads((tuned / f"runs/zorp/{name}/provenance.json").read_text())["text"]
        for name in ("word", "before")
    ]
    assert texts[0] == texts[1] | {"words": texts[0]["words"]}
    done = run("learn_word", *words, folder=tuned, expect=1)
    assert "already" in done.stderr and "Traceback" not in done.stderr
    words[1] = "shards=datasets/demo"
    done = run("learn_word", *words, "file=x", folder=tuned, expect=1)
    assert "lack the word" in done.stderr and "Traceback" not in done.stderr


def test_every_command_of_the_page_composes() -> None:
    lines = "".join(FENCE.findall(PAGE.read_text(encoding="utf-8"))).replace("\\\n", " ")
    commands = [shlex.split(line) for line in lines.splitlines() if line.strip()]
    names = [words[2].removeprefix("imagen_lit.") for words in commands]
    assert {"build_shards", "embed_text", "train", "merge", "learn_word", "evaluate"} <= {*names}
    for name, (_, _, _, *words) in zip(names, commands, strict=True):
        if name != "compare":
            config.compose(name, words)
