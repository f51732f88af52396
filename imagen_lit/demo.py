"""The whole cascade on a laptop: from an empty folder to images that match their captions, and a
page about them.

Each step is the command of the same name, and prints what to type to get the same result. Finished
steps are reused, so the same command resumes where it stopped. How many images each stage sees is
decided when its turn comes, from the speed measured then and the time left, and recorded in
budget.json.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from imagen_lit import bench, runs
from imagen_lit.basics import arguments, chosen_folder, progress_line
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.progress_line import Counter
from imagen_lit.basics.short_form import quantity
from imagen_lit.cascade import guidance_sheet
from imagen_lit.cascade.drawing_progress import DrawingProgress
from imagen_lit.cascade.evaluation import evaluate
from imagen_lit.cli import bootstrap, command, config
from imagen_lit.data import build, sidecar
from imagen_lit.data.shard_files import index_cache
from imagen_lit.data.shard_files.collection import Collection
from imagen_lit.embed_text import embed, lost
from imagen_lit.evaluate import build_ruler, request, table
from imagen_lit.pretrain_text import is_ours, pretrain, progress, role_share, seconds_left, verdict
from imagen_lit.report import demo_page
from imagen_lit.run import demo_commands, provenance, run_folder, time_budget
from imagen_lit.run.demo_precision import precision as _precision
from imagen_lit.run.time_budget import STAGE, TimeBudget
from imagen_lit.train import train

STAGES = {"demo_base": "base", "demo_sr": "sr", "demo_sr2": "sr2"}
TRIAL = 0.1  # at most this share of a stage's time measures its speed
FILES = 30  # seconds put aside for reading and saving images, and for the pages
ALONE = 5  # an image of guidance counts as so many prompts: drawn alone, its weights loaded anew


def demo(cfg: DictConfig) -> TimeBudget:
    """Run every step in order and write the page; return the time budget."""
    _check_arguments(cfg)
    home = Path(str(cfg.runs)) / "demo"
    common = [f"runs={cfg.runs}", *demo_commands.shared(cfg)]
    evaluate_words = [*common, f"prompts.count={cfg.prompts}"]
    evaluation = config.compose("evaluate", evaluate_words)
    config.build(evaluation.prompts)  # refuses now a count of prompts that is too large
    _require_text_encoder(cfg)
    with TimeBudget(home / "budget.json", cfg.minutes, bootstrap.STARTED_AT) as budget:
        words = [*common, f"data.shards={cfg.datasets}", "logger=files"]  # nothing goes to W&B
        words += [f"trainer.precision={_precision(cfg.device, budget)}"]
        overrides = {o: [f"stage={o}", f"name=demo/{stage}", *words] for o, stage in STAGES.items()}
        is_decided = set(budget.record["images"]) == set(STAGES)
        prompt = 0.0 if is_decided else _prompt_seconds(overrides, evaluation)
        sheet = _sheet_count(cfg)
        drawing, aside = prompt * cfg.prompts, FILES + prompt * ALONE * sheet
        is_short = not is_decided and _announce_what_is_fixed(cfg, drawing, aside, budget)
        reserve = drawing + aside
        _make_text_encoder(cfg, budget)
        _refuse_other_evaluation(evaluation)
        _make_data(cfg, budget)
        if not is_decided and not is_short:
            budget.warn_if_short(budget.left - reserve)
        for number, name in enumerate(STAGES):
            _train(name, number, overrides[name], cfg, budget, reserve)
        scores = _evaluate(evaluation, evaluate_words, budget)
        guidance = _guidance(cfg, common, home, budget)
        images = {stage: budget.record["images"][name] for name, stage in STAGES.items()}
        demo_page.write(home, scores, guidance, images, budget)
        _list_all_runs(Path(str(cfg.runs)))
    return budget


def _check_arguments(cfg: DictConfig) -> None:
    """Refuse before the first step what would only fail in the last."""
    time_budget.check(cfg.minutes, cfg.time_share, len(STAGES))
    arguments.whole_numbers(cfg, scenes=1, prompts=1, documents=0, seed=0)
    chosen_folder.of("datasets", cfg.datasets)
    if "path" in cfg.text:  # an encoder without files has none
        chosen_folder.of("text.path", cfg.text.path)
    chosen_folder.require_writable("runs", cfg.runs, chosen_folder.of("runs", cfg.runs))
    weights = OmegaConf.to_container(cfg).get("guidance_weights")  # type: ignore[union-attr]
    guidance_sheet.check(cfg.guidance_prompt, weights)


def _require_text_encoder(cfg: DictConfig) -> None:
    """Refuse an encoder from elsewhere that is not there; ours is made."""
    if not is_ours(cfg.text.get("make_command")) and (
        missing := config.build(cfg.text).missing_files()
    ):
        raise FileNotFoundError(missing)


def _sheet_count(cfg: DictConfig) -> int:
    """How many images the sheet of guidance has."""
    return len(guidance_sheet.THRESHOLDS) * len(cfg.guidance_weights)


def _announce_what_is_fixed(
    cfg: DictConfig, drawing: float, aside: float, budget: TimeBudget
) -> bool:
    """Print how long all but the training will take, from short trials of what is not there yet;
    return whether it leaves too little for the training."""
    world = config.compose(*demo_commands.build_shards(cfg))
    source, target = config.build(world.source), Path(world.folder)
    parts = {"shards": build.seconds_left(source, target, world.per_shard, world.workers)}
    if is_ours(cfg.text.get("make_command")):
        text = config.compose(*demo_commands.pretrain_text(cfg))
        settings = text.documents, text.seed, text.width
        parts = {"text encoder": seconds_left(Path(text.folder), *settings)} | parts
    parts |= {f"drawing {quantity(cfg.prompts, 'prompt')}": drawing}
    rest = f"{quantity(_sheet_count(cfg), 'image')} of guidance, files, pages"
    if is_short := budget.announce(parts, rest, aside):
        if less := demo_commands.less_to_draw(cfg):
            print(f"   less to draw leaves more: {less}, for example")
    return is_short


def _make_text_encoder(cfg: DictConfig, budget: TimeBudget) -> None:
    if not is_ours(cfg.text.get("make_command")):
        return
    text, folder = config.compose(*demo_commands.pretrain_text(cfg)), Path(cfg.text.path)
    step = "text encoder: a tiny T5 reads scenes described in words"
    with budget.step(step, demo_commands.line(*demo_commands.pretrain_text(cfg))) as already_there:
        if not pretrain(folder, text.documents, text.seed, progress(text.documents), text.width):
            already_there(folder)
    print(f"   {verdict(role_share(text, folder))}")


def _refuse_other_evaluation(evaluation: DictConfig) -> None:
    """Refuse to overwrite the images of another evaluation, before the training."""
    cascade, encoder = config.build(evaluation.cascade), config.build(evaluation.text)
    source = provenance.describe(cascade.weights, encoder.fingerprint(), request(evaluation))
    provenance.refuse_other_request(Path(evaluation.out), source)


def _make_data(cfg: DictConfig, budget: TimeBudget) -> None:
    world = config.compose(*demo_commands.build_shards(cfg))
    step = "shapes world: images and captions as WebDataset shards"
    with budget.step(step, demo_commands.line(*demo_commands.build_shards(cfg))) as already_there:
        identity = OmegaConf.to_container(world.source, resolve=True)
        source, target = config.build(world.source), Path(world.folder)
        shards = build.build(source, identity, target, world.per_shard, world.workers)
        done, total = next(shards)  # the first item says what is already there
        before = index_cache.stamps(target) if done == total else None
        progress_line.count("shards written", shards)
        unit = "shards indexed" if before is None else "shards checked"
        progress_line.count(unit, build.survey(target, world.workers))
        if before == index_cache.stamps(target):
            already_there(target)
        elif before is not None:
            print(f"   the shards in {target} were there; their index is new")
    captions = config.compose(*demo_commands.embed_text(cfg))
    step = "captions: one text sidecar per shard"
    with budget.step(step, demo_commands.line(*demo_commands.embed_text(cfg))) as already_there:
        encoder, target = config.build(captions.text), Path(captions.shards)
        folder, counter, new = sidecar.default_folder(target, encoder.name), Counter("sidecars"), 0
        sidecars = embed(encoder, target, folder, captions.storage, captions.token_budget)
        for done, new, total in sidecars:
            counter(done, total, made=new)
        if not new:
            already_there(folder)
        for line in lost(encoder.name, folder, Collection(target).paths) if new else ():
            print(f"   {line}")


def _prompt_seconds(overrides: dict[str, list[str]], evaluation: DictConfig) -> float:
    """How long drawing and judging a held-out prompt will take, from a few network calls now."""
    trials = {stage: config.compose("train", overrides[name]) for name, stage in STAGES.items()}
    return 1.25 * bench.prompt_seconds(evaluation.cascade, trials)


def _train(
    name: str,
    number: int,
    overrides: list[str],
    cfg: DictConfig,
    budget: TimeBudget,
    reserve: float,
) -> None:
    """Train for this stage's share of the time. If its speed was measured at a bad moment, it is
    done far too soon: it continues, at the speed that it really had."""
    share_of_later = 1 - cfg.time_share[name] / sum(list(cfg.time_share.values())[number:])
    later, speed = (budget.left - reserve) * share_of_later, 0.0
    # Validations and checkpoints take time too; no stage makes up for what the previous overspends.
    learning = 0.87 if share_of_later else 0.78
    trial = config.compose("train", overrides)
    step = f"{STAGE}{number + 1} of {len(STAGES)}: {name}"
    folder, batch_size = Path(str(cfg.runs)) / trial.name, trial.data.batch_size
    while True:
        seconds, images_seen = budget.left - reserve - later, run_folder.images_seen(folder)
        if undecided := name not in budget.record["images"]:
            if not speed and seconds > 0:  # without any time, one update has to do
                speed = bench.speed(trial, 24, TRIAL * seconds)
            updates = learning * (budget.left - reserve - later) * speed / batch_size
            budget.record["images"][name] = images_seen + max(1, round(updates)) * batch_size
            budget.write()
        images = budget.record["images"][name]
        words, start = [*overrides, f"stage.images={images}"], time.monotonic()
        with budget.step(step, demo_commands.line("train", words)) as already_there:
            if images_seen >= images:
                already_there(folder)
            train(config.compose("train", words), note=_unnoted)
        left_over = budget.left - reserve - later
        if not undecided or left_over < max(60, 0.3 * seconds):
            return
        speed = (images - images_seen) / (time.monotonic() - start)
        print(f"\n   faster than in its speed trial: {left_over:.0f} s more for this stage")
        del budget.record["images"][name]


def _unnoted(line: str) -> None:
    """What the encoder loses of the captions was said when they were embedded."""


def _evaluate(cfg: DictConfig, overrides: Sequence[str], budget: TimeBudget) -> dict[str, Any]:
    step = "evaluation: held-out prompts through the whole cascade"
    with budget.step(step, demo_commands.line("evaluate", overrides)) as already_there:
        progress = DrawingProgress("prompts drawn")
        scores = evaluate(
            config.build(cfg.cascade),
            config.build(cfg.text),
            config.build(cfg.prompts),
            Path(cfg.out),
            cfg.batch,
            request(cfg),
            progress.count,
            progress.step,
            ruler=build_ruler(cfg),
        )
        if progress.is_empty:
            already_there(f"the images in {cfg.out}; their scores are computed again")
    print(table(scores))
    return scores


def _guidance(cfg: DictConfig, common: list[str], home: Path, budget: TimeBudget) -> dict[str, Any]:
    """One prompt, one seed, over guidance weights, with static and dynamic thresholding."""
    prompt, weights, folder = cfg.guidance_prompt, list(cfg.guidance_weights), home / "guidance"
    encoder = config.build(cfg.text)
    rows = guidance_sheet.points(prompt, weights, common, folder, encoder)
    first, count = demo_commands.line("sample", rows["static"][0].words), len(rows) * len(weights)
    line = f"{first}  # the first of {count}"
    with budget.step("guidance and thresholding, side by side", line) as already_there:
        drawing = DrawingProgress()
        files, new = guidance_sheet.draw(prompt, rows, encoder, drawing.step)
        drawing.count(count, count)
        if not new:
            already_there(folder)
    return {"prompt": prompt, "weights": weights, "rows": files}


def _list_all_runs(root: Path) -> None:
    """The page of all runs, to which the demo's page leads."""
    try:
        runs.show(root, "", root / "index.html")
    except InputError as error:  # the user has another page there
        print(f"   no page of all runs: {error}")


@command.main("demo")
def main(cfg: DictConfig) -> None:
    """Run the demo, and print where everything is."""
    budget = demo(cfg)
    home = budget.file.parent
    print(f"\nthe page:    {home / 'index.html'}\nthe grid:    {home / 'grid.png'}")
    print(f"the scores:  {home / 'evaluation' / 'scores.json'}")
    print(f"in all:      {sum(budget.record['starts']) / 60:.1f} min of {cfg.minutes:g}")
    if budget.warning:
        print(f"but:         {budget.warning}")


if __name__ == "__main__":
    main()
