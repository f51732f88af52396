"""A value of the wrong kind for a setting is refused in a sentence, before the work."""

import importlib
from pathlib import Path

import left_runs
import pytest
from hydra.errors import HydraException
from omegaconf import OmegaConf

from imagen_lit.cli import config, user_error
from imagen_lit.run import preflight

WRONG = [
    ("embed_text", "gpu_tflops=null dry_run=true", "gpu_tflops=None is not a speed for each GPU"),
    ("embed_text", "gpu_tflops=0 dry_run=true", "gpu_tflops=0 is not a speed for each GPU"),
    ("embed_text", "gpu_tflops=words dry_run=true", "gpu_tflops=words is not a speed for each"),
    ("embed_text", "gpu_tflops.h100=0 dry_run=true", "gpu_tflops.h100=0 is not a number above 0"),
    ("embed_text", "gpu_tflops.h100=-1 dry_run=true", "gpu_tflops.h100=-1 is not a number above"),
    ("embed_text", "gpu_tflops.h100=fast dry_run=true", "gpu_tflops.h100='fast' is not a number"),
    ("embed_text", "gpu_tflops.h100=null dry_run=true", "gpu_tflops.h100=None is not a number"),
    ("embed_text", "gpu=null dry_run=true", "gpu=None is no GPU's name. Set gpu=h100"),
    ("embed_text", "storage=words dry_run=true", "storage='words' is not one of bfloat16, float32"),
    ("embed_text", "storage=null dry_run=true", "storage=None is not one of bfloat16, float32"),
    ("embed_text", "storage=[int8]", "storage=['int8'] is not one of bfloat16, float32"),
    ("embed_text", "dry_run=words", "dry_run='words' is neither true nor false"),
    ("build_shards", "dry_run=words", "dry_run='words' is neither true nor false"),
    ("train", "dry_run=words", "dry_run='words' is neither true nor false"),
    ("train", "name=[a]", "name=['a'] is not the name of a folder in runs"),
    ("train", "start_from=[a]", "start_from=['a'] is not a file or folder"),
    ("train", "seed=words", "seed='words' is not a whole number of 0 or more"),
    ("bench", "save=words", "save='words' is neither true nor false"),
    ("bench", "seed=null", "seed=None is not a whole number of 0 or more"),
    ("bench", "json=[a]", "json=['a'] is not a file or folder"),
    ("bench", "json=table.txt", "json=table.txt is no .json file. Set json=mine.json"),
    ("bench_peers", "precision=words", "precision=words is not a list of 32-true, bf16-mixed"),
    ("bench_peers", "channels=40", "channels=40, size=64 and text_width=768 have to be multiples"),
    ("bench_peers", "compile=words", "compile=words is not a compiler. Allowed are null and"),
    ("gpu_check", "only=words", "only=words is not a list of words. Set only=[tiny,FSDP2]"),
    ("gpu_check", "train=words", "train=words is not a list of settings. Set train=[]"),
    ("bench_data", "stage_name=words", "'stage' has no option 'words'; it has base64"),
    ("sample", "runs=null", "runs=None is not a file or folder"),
    ("evaluate", "name={a: b}", "name={'a': 'b'} is not the name of a folder in runs"),
    ("dashboard", "folder=runs/mine entity=[a]", "entity=['a'] is no W&B name. Set entity=my-team"),
    ("demo", "time_share=null", "time_share=None is not a number above 0 for each stage"),
    ("evaluate", "prompts=[1]", "prompts holds settings with names, and was set to a list. Set pr"),
    ("sample", "prompts={a: b}", "prompts is a list, and was set to settings with names. Set 'pro"),
    ("embed_text", "gpu_tflops={1: 2}", "there is no key 'gpu_tflops.1' here"),
    ("train", "data.size=1.5", "data.size is 1.5, but imagen_lit.data.loader.Data takes int"),
    ("train", "data.size=inf", "data.size is inf, but imagen_lit.data.loader.Data takes int"),
    ("train", "data.size=-1", "data.size=-1 is not a whole number of 1 or more"),
    ("train", f"data.size={'9' * 23}", f"data.size={'9' * 23} is not a whole number of 1 or mo"),
    ("train", "data.size=99999999", "data.size=99999999 is larger than 65536"),
    ("train", "data.crop=1.5", "data.crop is 1.5, but imagen_lit.data.loader.Data takes int"),
    ("train", "stage.condition=1.5", "stage.condition is 1.5, but imagen_lit.stage.training.Sta"),
    ("train", "text.path=[1]", "text.path is [1], but imagen_lit.text.encoder.HuggingFace takes s"),
    ("train", f"seed={'9' * 5000}", "a number has thousands of digits, and none here has more"),
    (
        "sample",
        "cascade.base.recipe=5",
        "cascade.base.recipe is 5, but imagen_lit.cascade.trained_stage",
    ),
    ("sample", "cascade.base.recipe.guidance=1.5", "cascade.base.recipe.guidance is 1.5, but ima"),
    ("sample", "cascade.base.recipe.sampler=0", "cascade.base.recipe.sampler is 0, but imagen_li"),
    ("sample", "cascade.base.recipe.threshold=foo", "cascade.base.recipe.threshold is 'foo', but"),
    (
        "sample",
        "cascade.base.recipe.guidance.weight=99999999999999999999999",
        "guidance.weight=99999999999999999999999 is not a number between -2^62 and 2^62. Set",
    ),
    ("sample", "~cascade.base ~cascade.sr ~cascade.sr2", "the cascade has no stage left. Leave"),
    ("sample", "cascade=[a]", "'cascade' has no option 'a'; it has base, deepfloyd_if, demo"),
]


@pytest.mark.parametrize(("command", "typed", "words"), WRONG)
def test_a_value_of_the_wrong_kind_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, typed: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    left_runs.leave(tmp_path / "runs", "mine")
    main = importlib.import_module(f"imagen_lit.{command}").main
    overrides = [typed] if ": " in typed else typed.split()
    with pytest.raises((ValueError, HydraException)) as caught:
        main(config.compose(command, overrides))
    sentence = user_error.sentence(
        caught.value, lambda: list(config.keys({"gpu_tflops": {"h100": 989}}))
    )
    assert sentence is not None and sentence.startswith(words)


def test_the_group_of_a_part_is_named_as_it_is_typed() -> None:
    cfg = config.compose("sample", ["cascade.base.recipe.threshold=foo"])
    with pytest.raises(ValueError, match=r" diffusion/threshold@cascade\.base\.recipe\.threshold="):
        config.build(cfg.cascade)


def test_the_notice_of_a_training_may_be_any_value(tmp_path: Path) -> None:
    cfg = config.compose("train", ["notice=[a]", f"runs={tmp_path}"])
    assert preflight.inspect(cfg, full=True)[1]


@pytest.mark.parametrize(
    "command",
    "bench bench_data bench_peers bench_text build_shards dashboard demo embed_text evaluate "
    "gpu_check pretrain_text randomise_text rate runs sample studio train".split(),
)
def test_every_plain_setting_of_a_command_can_be_set(command: str) -> None:
    """Hydra takes a key of the name of a group for the choice of an option."""
    choices = {*config.compose(command, with_hydra=True).hydra.runtime.choices}
    cfg = config.compose(command)
    keys = {str(key) for key in cfg if not OmegaConf.is_dict(cfg._get_node(key))}
    assert (keys - choices) & {*config.groups()} == set()
