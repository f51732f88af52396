"""Every number of a training's config can be mistyped: the answer is a sentence, never a traceback
or a training."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from imagen_lit.basics.errors import InputError
from imagen_lit.cli import config, user_error
from imagen_lit.run.trainer import build_trainer

NETWORKS = {
    "demo_base": ["network.channels=[8,16,16]", "network.blocks=[1,1,1]", "network.head_width=8"],
    "demo_sr": ["network.first_channels=8", "network.channels=[8,16,16]", "network.head_width=8"],
}
# Any finite number is allowed, or another kind of value means something.
FREE = ("guidance.weight", "schedule.offset", "trainer.max_epochs")
FREE += ("trainer.num_sanity_val_steps",)


def numbers(node: Any, prefix: str = "") -> Iterator[str]:
    """The keys of a config's own numbers, not of those that refer to others."""
    for name, value in node.items() if isinstance(node, dict) else ():
        if type(value) in (int, float):
            yield f"{prefix}{name}"
        yield from numbers(value, f"{prefix}{name}.")


def own_numbers(stage: str) -> list[str]:
    cfg = config.compose("train", [f"stage={stage}", "data.shards=x"])
    keys = numbers(OmegaConf.to_container(cfg))
    unused = ("features.", "text_features.")  # of metrics, of which none is chosen
    unused += () if "preview" in cfg.callbacks else ("prompts.",)
    return [key for key in keys if not key.endswith(FREE) and not key.startswith(unused)]


def start(cfg: Any) -> None:
    """What a start builds before it trains."""
    with torch.device("meta"):
        config.build(cfg.stage).configure_optimizers()
    config.build(cfg.data)
    config.build(cfg.text)
    build_trainer(cfg)


@pytest.mark.parametrize("value", [-1, "nan"])
@pytest.mark.parametrize("stage", list(NETWORKS))
def test_a_number_that_cannot_be_meant_is_refused_in_a_sentence(stage: str, value: object) -> None:
    usual = [f"stage={stage}", "data.shards=x", "text.path=x", "logger=files", *NETWORKS[stage]]
    start(config.compose("train", usual))
    accepted = []
    for key in own_numbers(stage):
        try:
            start(config.compose("train", [*usual, f"{key}={value}"]))
            accepted.append(key)
        except Exception as error:
            assert user_error.sentence(error, list), f"{key}={value}: {error!r}"
    assert accepted == []


@pytest.mark.parametrize(
    "word",
    [
        "cascade.base.recipe.guidance=null",
        "cascade.base.recipe.threshold=null",
        "cascade.base.recipe=null",
        "cascade.base=null",
    ],
)
def test_a_part_that_is_null_is_refused_in_a_sentence(word: str) -> None:
    key = word.removesuffix("=null")
    with pytest.raises(Exception, match=r"null|no stage") as refusal:
        config.build(config.compose("sample", [word]).cascade)
    assert (user_error.sentence(refusal.value, list) or "").startswith(f"{key} is n")
    for name in ("source", "filter"):
        with pytest.raises(InputError, match=r"None stands where a part.*Choose one"):
            config.build(config.compose("build_shards", [f"{name}=null"])[name])


OTHERS = [
    "build_shards per_shard=0",
    "build_shards workers=-1",
    "build_shards source.count=-5",
    "build_shards source.size=3",
    "build_shards source.seed=-1",
    "embed_text token_budget=0",
    "pretrain_text documents=-1",
    "pretrain_text width=0",
    "bench_data count=0",
    "bench_data rounds=0",
    "sample images=0",
    "evaluate batch=0",
    "evaluate name=../x",
    "demo minutes=-1",
]


@pytest.mark.parametrize("typed", OTHERS)
def test_another_command_refuses_a_number_before_it_writes(
    typed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name, *words = typed.split()
    main = importlib.import_module(f"imagen_lit.{name}").main
    with pytest.raises(Exception, match=r"=") as refusal:
        main(config.compose(name, words))
    sentence = user_error.sentence(refusal.value, list)
    assert sentence and words[0].split(".")[-1] in sentence
    assert list(tmp_path.iterdir()) == []
