"""The whole cascade on a laptop: from an empty folder to pictures that match their captions, and a
page about them.

Each step is the door of its own name, and says which command would do the same. What is finished
is reused, so the same command goes on where it stopped. How many images each stage sees is decided
when its turn comes, from the speed measured then and the time left, and written into plan.json.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from imagen_lit import bench, door, machine, run_folder
from imagen_lit.cascade import Cascade
from imagen_lit.data import build, sidecar
from imagen_lit.demo_plan import Plan
from imagen_lit.embed_text import embed
from imagen_lit.evaluate import asked, evaluate, tell, told
from imagen_lit.evaluation import figure, page
from imagen_lit.pretrain_text import pretrain, progress
from imagen_lit.sample import draw
from imagen_lit.train import train

STAGES = {"demo_base": "base", "demo_sr": "sr", "demo_sr2": "sr2"}


def demo(cfg: DictConfig) -> Path:
    """Everything, in order; the page."""
    home = Path(cfg.runs) / "demo"
    plan = Plan(home / "plan.json", cfg.minutes)
    common = [f"runs={cfg.runs}", f"text={_choice(cfg)}"]
    _make_text_encoder(cfg, plan)
    _make_data(cfg, plan)
    precision = _precision(plan)
    stages = [*common, "logger=files", f"trainer.precision={precision}"]  # W&B hears of no demo
    overrides = {s: [f"stage={s}", *stages] for s in STAGES}
    evaluation = door.compose("evaluate", [*common, f"examiner.count={cfg.prompts}"])
    reserve = _drawing_seconds(overrides, evaluation, plan)
    if set(plan.said["images"]) != set(STAGES):
        plan.warn_of_little(plan.left - reserve)
    for number, name in enumerate(STAGES):
        _train(name, number, overrides[name], cfg, plan, reserve)
    scores = _evaluate(evaluation, home, plan)
    guidance = _guidance(cfg, common, home, plan)
    return _page(home, scores, guidance, plan)


def _make_text_encoder(cfg: DictConfig, plan: Plan) -> None:
    folder = Path(cfg.text.path)
    documents = 0 if cfg.text.name.endswith("random") else cfg.documents
    command = f"python -m imagen_lit.pretrain_text documents={documents} folder={folder}"
    with plan.step("text encoder: a tiny T5 reads scenes told in words", command):
        if not pretrain(folder, documents, 0, progress(documents)):
            print(f"   already there: {folder}")


def _make_data(cfg: DictConfig, plan: Plan) -> None:
    source, folder = f"source.count={cfg.scenes}", f"folder={cfg.datasets}"
    world = door.compose("build_shards", [source, folder])
    with plan.step(
        "demo world: pictures and captions as WebDataset shards",
        f"python -m imagen_lit.build_shards {source} {folder}",
    ):
        identity = OmegaConf.to_container(world.source, resolve=True)
        target = Path(world.folder)
        for done, count in build.build(
            door.build(world.source), identity, target, world.per_shard, world.workers
        ):
            _count("shards", done, count)
        for done, count in build.survey(target, world.workers):
            _count("indexes", done, count)
    captions = door.compose("embed_text", [f"text={_choice(cfg)}", f"shards={cfg.datasets}"])
    with plan.step(
        "captions: one text sidecar a shard",
        f"python -m imagen_lit.embed_text text={_choice(cfg)} shards={cfg.datasets}",
    ):
        encoder = door.build(captions.text)
        shards = Path(captions.shards)
        folder = sidecar.folder(shards, encoder.name)
        for done, _, count in embed(encoder, shards, folder, captions.stored, captions.budget):
            _count("sidecars", done, count)


def _count(what: str, done: int, count: int) -> None:
    live = sys.stderr.isatty()
    if live or done == count:
        end = "\n" if done == count else ""
        print(f"\r{done}/{count} {what}", end=end, file=sys.stderr, flush=True)


def _precision(plan: Plan) -> str:
    """bf16 where this machine multiplies it clearly faster, by measurement; decided once a demo."""
    if "precision" not in plan.said:
        speeds = {dtype: machine.matrix_peak(dtype) for dtype in (torch.float32, torch.bfloat16)}
        gain = speeds[torch.bfloat16] / speeds[torch.float32]
        plan.said["precision"] = "bf16-mixed" if gain > 1.3 else "32-true"
        plan.write()
        print(
            f"\n   bf16 products are {gain:.1f} times as fast as float32: {plan.said['precision']}"
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
        plan.said["drawing"] = 35 + 1.25 * total * evaluation.examiner.count
        plan.write()
    return plan.said["drawing"]


def _train(
    name: str, number: int, overrides: list[str], cfg: DictConfig, plan: Plan, reserve: float
) -> None:
    if name not in plan.said["images"]:
        trial = door.compose("train", overrides)
        speed = bench.speed(trial, batches=24)
        later = sum(list(cfg.share.values())[number:])
        seconds = (plan.left - reserve) * cfg.share[name] / later
        seen = run_folder.images_seen(Path(cfg.runs) / trial.name)
        more = max(1, round(0.87 * seconds * speed / trial.data.batch_size)) * trial.data.batch_size
        plan.said["images"][name] = seen + more
        plan.write()
    images = plan.said["images"][name]
    command = " ".join(["python -m imagen_lit.train", *overrides, f"stage.images={images}"])
    with plan.step(f"stage {number + 1} of {len(STAGES)}: {name}", command):
        train(door.compose("train", [*overrides, f"stage.images={images}"]))


def _evaluate(cfg: DictConfig, home: Path, plan: Plan) -> dict[str, Any]:
    with plan.step(
        "examination: held-out prompts through the whole cascade", "python -m imagen_lit.evaluate"
    ):
        scores = evaluate(
            door.build(cfg.cascade),
            door.build(cfg.text),
            door.build(cfg.examiner),
            home / "evaluation",
            cfg.batch,
            asked(cfg),
            tell,
        )
    print(told(scores))
    return scores


def _guidance(cfg: DictConfig, common: list[str], home: Path, plan: Plan) -> dict[str, Any]:
    """One prompt, one seed, over guidance weights, under static and dynamic thresholding."""
    rows: dict[str, list[Path]] = {}
    prompt = cfg.guided_prompt
    with plan.step(
        "guidance and thresholding, side by side",
        "python -m imagen_lit.sample cascade.base.recipe…",
    ):
        for threshold in ("static", "dynamic"):
            rows[threshold] = []
            for weight in cfg.weights:
                chosen = [
                    f"diffusion/threshold@cascade.base.recipe.threshold={threshold}",
                    f"cascade.base.recipe.guidance.weight={weight}",
                ]
                sample = door.compose("sample", [*common, *chosen])
                cascade: Cascade = door.build(sample.cascade)
                folder = home / "guidance" / f"{threshold}_{weight:g}"
                ((_, _, made),) = draw(cascade, door.build(sample.text), [(prompt, 0)], folder, 1)
                rows[threshold].append(list(made.values())[-1])
    return {"prompt": prompt, "weights": list(cfg.weights), "rows": rows}


def _page(home: Path, scores: dict[str, Any], guidance: dict[str, Any], plan: Plan) -> Path:
    folder = home / "evaluation"
    marks = [json.loads(line) for line in (folder / "marks.jsonl").read_text().splitlines()]
    steps = list(STAGES.values())
    last = [m for m in marks if m["step"] == steps[-1]]
    samples = [
        {
            "prompt": mark["prompt"],
            "category": mark["category"],
            "right": mark["found"]["exact"],
            "pictures": {
                step: folder
                / next(
                    m["picture"]
                    for m in marks
                    if (m["step"], m["prompt"], m["seed"]) == (step, mark["prompt"], mark["seed"])
                )
                for step in steps
            },
        }
        for mark in last[:36]
    ]
    rows = {step: run_folder.metrics(home / step) for step in steps}
    losses = {
        f"{step} {name}": [(r["images"], r[f"{name}/loss"]) for r in found if f"{name}/loss" in r]
        for step, found in rows.items()
        for name in ("train", "val")
    }
    learnt = {
        key.removeprefix("score/alignment_"): [
            (r["images"], *r[key]) for r in rows["base"] if key in r
        ]
        for key in sorted({k for r in rows["base"] for k in r if k.startswith("score/")})
    }
    plots = [("loss", figure.curves({k: v for k, v in losses.items() if v}, "images seen", "loss"))]
    if learnt:
        plots.append(
            (
                "held-out prompts right at 16 × 16, 48 prompts, 16 steps",
                figure.bands(learnt, "images seen", "exact"),
            )
        )
    file = home / "index.html"
    page.write(
        file,
        "A text-to-image cascade that learnt on this machine",
        f"Three stages, 16 → 64 → 256, trained for {plan.said['minutes']:g} minutes in all on "
        f"{os.cpu_count()} CPU cores. Images seen: "
        + ", ".join(f"{STAGES[k]} {v:,}" for k, v in plan.said["images"].items())
        + ".",
        scores["score/alignment"],
        samples,
        plots,
        guidance,
        list(plan.said["seconds"].items()),
    )
    finals = [s["pictures"][steps[-1]] for s in samples[:24]]
    figure.grid(finals, 8, 128, home / "grid.png")
    return file


def _choice(cfg: DictConfig) -> str:
    """The option of the group `text` that was taken: encoders are named after it."""
    return cfg.text.name


@door.main("demo")
def main(cfg: DictConfig) -> None:
    file = demo(cfg)
    print(f"\nthe page:    {file}\nthe grid:    {file.parent / 'grid.png'}")
    print(f"the scores:  {file.parent / 'evaluation' / 'scores.json'}")


if __name__ == "__main__":
    main()
