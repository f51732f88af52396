"""The whole cascade on a laptop: from an empty folder to pictures that match their captions, and a
page about them.

Each step is the door of its own name, and says which command would do the same. What is finished
is reused, so the same command goes on where it stopped. How many images each stage sees is decided
when its turn comes, from the speed measured then and the time left, and written into plan.json.
"""

import json
import math
import operator
import shlex
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from imagen_lit import bench, demo_page, door, machine, protocol, run_folder, start
from imagen_lit.cascade import Cascade
from imagen_lit.data import build, sidecar
from imagen_lit.demo_plan import Plan
from imagen_lit.embed_text import embed
from imagen_lit.evaluate import asked, evaluate, told
from imagen_lit.pace import Counter
from imagen_lit.pretrain_text import is_ours, loudness, pretrain, progress
from imagen_lit.sample import draw, files
from imagen_lit.train import train

STAGES = {"demo_base": "base", "demo_sr": "sr", "demo_sr2": "sr2"}


def demo(cfg: DictConfig) -> Plan:
    """Everything, in order, and the page; what it took."""
    _require(cfg)
    home = Path(cfg.runs) / "demo"
    common = [f"runs={cfg.runs}", f"text={cfg.text.name}"]
    asked_of = [*common, f"examiner.count={cfg.prompts}"]
    evaluation = door.compose("evaluate", asked_of)
    door.build(evaluation.examiner)  # prompts that cannot be asked are refused now
    with Plan(home / "plan.json", cfg.minutes, start.AT) as plan:
        _make_text_encoder(cfg, plan)
        _refuse_another_examination(evaluation)
        _make_data(cfg, plan)
        precision = f"trainer.precision={_precision(plan)}"
        stages = [*common, f"data.shards={cfg.datasets}", precision]
        stages += ["logger=files"]  # W&B hears of no demo
        overrides = {s: [f"stage={s}", *stages] for s in STAGES}
        reserve = _drawing_seconds(overrides, evaluation, plan)
        if set(plan.said["images"]) != set(STAGES):
            plan.warn_of_little(plan.left - reserve)
        for number, name in enumerate(STAGES):
            _train(name, number, overrides[name], cfg, plan, reserve)
        scores = _evaluate(evaluation, asked_of, plan)
        guidance = _guidance(cfg, common, home, plan)
        seen = {step: plan.said["images"][name] for name, step in STAGES.items()}
        demo_page.write(home, scores, guidance, seen, plan)
    return plan


def _require(cfg: DictConfig) -> None:
    """Refuse what only the last step would stumble over, before the first has begun."""
    if type(cfg.minutes) not in (int, float) or not 0 < cfg.minutes < math.inf:
        raise ValueError(
            f"found minutes={cfg.minutes}: expected a number above 0; type make demo MINUTES=20"
        )
    door.whole(cfg, scenes=1, prompts=1, documents=0, seed=0)
    weights = OmegaConf.to_container(cfg).get("weights")  # type: ignore[union-attr]
    if not isinstance(weights, list) or not weights or {*map(type, weights)} - {int, float}:
        raise ValueError(
            f"found weights={weights}: expected a list of numbers; type 'weights=[1,3,5]'"
        )
    shares = list(cfg.share.values())
    if {*map(type, shares)} - {int, float} or min(shares) <= 0:
        raise ValueError(
            f"found share={shares}: expected a number above 0 for each stage; type "
            "share.demo_base=0.68 share.demo_sr=0.19 share.demo_sr2=0.13"
        )
    if not isinstance(cfg.guided_prompt, str) or not cfg.guided_prompt.strip():
        raise ValueError(
            f"found guided_prompt={cfg.guided_prompt}: expected a caption; type "
            "'guided_prompt=a red circle above a blue square'"
        )


def _typed(name: str, overrides: Sequence[str]) -> str:
    """The command line that does the same by itself."""
    return shlex.join(["python", "-m", f"imagen_lit.{name}", *overrides])


def _make_text_encoder(cfg: DictConfig, plan: Plan) -> None:
    folder, name = Path(cfg.text.path), cfg.text.name
    if not is_ours(cfg.text.made_by):
        if lacks := door.build(cfg.text).lacks():
            raise FileNotFoundError(lacks)
        return
    documents = 0 if name.endswith("random") else cfg.documents
    words = [f"text={name}", f"documents={documents}", f"folder={folder}", f"seed={cfg.seed}"]
    reading = door.compose("pretrain_text", words)
    step = "text encoder: a tiny T5 reads scenes told in words"
    with plan.step(step, _typed("pretrain_text", words)) as already:
        if not pretrain(folder, documents, reading.seed, progress(documents), reading.width):
            already(folder)
    print(f"   {loudness(reading, folder)}")


def _refuse_another_examination(evaluation: DictConfig) -> None:
    """Pictures of another examination are not drawn over; that is said before the training."""
    cascade, encoder = door.build(evaluation.cascade), door.build(evaluation.text)
    drawn_so = protocol.of(cascade, encoder.fingerprint(), asked(evaluation))
    protocol.refuse_another(Path(evaluation.out), drawn_so)


def _make_data(cfg: DictConfig, plan: Plan) -> None:
    words = [f"source.count={cfg.scenes}", f"folder={cfg.datasets}"]
    world = door.compose("build_shards", words)
    step = "demo world: pictures and captions as WebDataset shards"
    with plan.step(step, _typed("build_shards", words)) as already:
        identity = OmegaConf.to_container(world.source, resolve=True)
        source, target = door.build(world.source), Path(world.folder)
        written = build.build(source, identity, target, world.per_shard, world.workers)
        if operator.eq(*next(written)):  # it says first what is there
            already(target)
        _count("shards written", written)
        _count("shards indexed", build.survey(target, world.workers))
    words = [f"text={cfg.text.name}", f"shards={cfg.datasets}"]
    captions = door.compose("embed_text", words)
    step = "captions: one text sidecar a shard"
    with plan.step(step, _typed("embed_text", words)) as already:
        encoder, shards = door.build(captions.text), Path(captions.shards)
        folder, count, new = sidecar.folder(shards, encoder.name), Counter("sidecars"), 0
        made = embed(encoder, shards, folder, captions.stored, captions.budget)
        for done, new, of in made:  # noqa: B007
            count(done, of)
        if not new:
            already(folder)


def _count(what: str, steps: Iterable[tuple[int, int]]) -> None:
    count = Counter(what)
    for done, of in steps:
        count(done, of)


def _precision(plan: Plan) -> str:
    """bf16 where this machine multiplies it clearly faster, by measurement; decided once a demo."""
    if "precision" not in plan.said:
        speeds = {dtype: machine.matrix_peak(dtype) for dtype in (torch.float32, torch.bfloat16)}
        gain = speeds[torch.bfloat16] / speeds[torch.float32]
        plan.said["precision"] = "bf16-mixed" if gain > 1.3 else "32-true"
        plan.write()
        print(
            f"\n   bf16 products are {gain:.2g} times as fast as float32: {plan.said['precision']}"
        )
    return plan.said["precision"]


def _drawing_seconds(overrides: dict[str, list[str]], evaluation: DictConfig, plan: Plan) -> float:
    """How long drawing and reading the held-out prompts will take, from a few network calls now."""
    if "drawing" not in plan.said:
        total = 0.0
        for name, step in STAGES.items():
            recipe = evaluation.cascade[step].recipe
            calls = recipe.steps * (1 if recipe.guidance.weight == 1 else 2)
            total += calls * bench.call_seconds(door.compose("train", overrides[name]))
        # beside the network: reading and storing the pictures; the sheet of guidance, the page
        plan.said["drawing"] = 50 + 1.25 * total * evaluation.examiner.count
        plan.write()
    return plan.said["drawing"]


def _train(
    name: str, number: int, overrides: list[str], cfg: DictConfig, plan: Plan, reserve: float
) -> None:
    """Train for this stage's share of the time. One that was tried out in a bad moment is done far
    too soon: it goes on, at the speed that it had."""
    stages_after = 1 - cfg.share[name] / sum(list(cfg.share.values())[number:])
    theirs, speed = (plan.left - reserve) * stages_after, 0.0
    # Validations and states take time too; nobody makes up for what the last stage takes too much.
    learning = 0.87 if stages_after else 0.78
    trial, step = door.compose("train", overrides), f"stage {number + 1} of {len(STAGES)}: {name}"
    folder = Path(cfg.runs) / trial.name
    while True:
        seconds, seen = plan.left - reserve - theirs, run_folder.images_seen(folder)
        if undecided := name not in plan.said["images"]:
            updates = learning * seconds * (speed or bench.speed(trial, 24)) / trial.data.batch_size
            plan.said["images"][name] = seen + max(1, round(updates)) * trial.data.batch_size
            plan.write()
        images = plan.said["images"][name]
        words, began = [*overrides, f"stage.images={images}"], time.monotonic()
        with plan.step(step, _typed("train", words)) as already:
            if seen >= images:
                already(folder)
            train(door.compose("train", words))
        left_over = plan.left - reserve - theirs
        if not undecided or left_over < max(60, 0.3 * seconds):
            return
        speed = (images - seen) / (time.monotonic() - began)
        print(f"\n   faster than when it was tried out: {left_over:.0f} s more for this stage")
        del plan.said["images"][name]


def _evaluate(cfg: DictConfig, overrides: Sequence[str], plan: Plan) -> dict[str, Any]:
    step = "examination: held-out prompts through the whole cascade"
    with plan.step(step, _typed("evaluate", overrides)) as already:
        count = Counter("prompts drawn")
        scores = evaluate(
            door.build(cfg.cascade),
            door.build(cfg.text),
            door.build(cfg.examiner),
            Path(cfg.out),
            cfg.batch,
            asked(cfg),
            count,
        )
        if not count.begun:
            already(cfg.out)
    print(told(scores))
    return scores


def _guidance(cfg: DictConfig, common: list[str], home: Path, plan: Plan) -> dict[str, Any]:
    """One prompt, one seed, over guidance weights, under static and dynamic thresholding."""
    prompt, weights = cfg.guided_prompt, list(cfg.weights)
    said = [*common, f"prompts={json.dumps([prompt], ensure_ascii=False)}", "seed=0", "images=1"]
    wanted = {  # of each row, the overrides of its pictures
        threshold: [
            [
                *said,
                f"diffusion/threshold@cascade.base.recipe.threshold={threshold}",
                f"cascade.base.recipe.guidance.weight={weight}",
                f"out={home / 'guidance' / f'{threshold}_{weight:g}' / 'pictures'}",
            ]
            for weight in weights
        ]
        for threshold in ("static", "dynamic")
    }
    command = _typed("sample", wanted["static"][0]) + f"  # the first of {2 * len(weights)}"
    with plan.step("guidance and thresholding, side by side", command) as already:
        plain = door.compose("sample", said)
        encoder = door.build(plain.text)
        drawn_so = protocol.of(door.build(plain.cascade), encoder.fingerprint(), {})
        rows: dict[str, list[Path]] = {}
        new = 0
        for threshold, pictures in wanted.items():
            rows[threshold] = []
            for overrides in pictures:
                sample = door.compose("sample", overrides)
                recipes = OmegaConf.to_container(sample.cascade, resolve=True)
                folder = protocol.only_of(Path(sample.out).parent, drawn_so | {"cascade": recipes})
                cascade: Cascade = door.build(sample.cascade)
                made = files(cascade, folder, prompt, 0)
                if not all(file.exists() for file in made.values()):
                    new += len(list(draw(cascade, encoder, [(prompt, 0)], folder, 1)))
                rows[threshold].append(list(made.values())[-1])
        if not new:
            already(home / "guidance")
    return {"prompt": prompt, "weights": weights, "rows": rows}


@door.main("demo")
def main(cfg: DictConfig) -> None:
    plan = demo(cfg)
    home = plan.file.parent
    print(f"\nthe page:    {home / 'index.html'}\nthe grid:    {home / 'grid.png'}")
    print(f"the scores:  {home / 'evaluation' / 'scores.json'}")
    print(f"in all:      {sum(plan.said['starts']) / 60:.1f} min of {cfg.minutes:g}")


if __name__ == "__main__":
    main()
