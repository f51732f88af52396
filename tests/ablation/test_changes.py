"""What the command line changes of a definition."""

import pytest

from imagen_lit.ablation import changes
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import bare_words


def test_each_setting_finds_its_place() -> None:
    read = changes.read(
        [
            "train.data.shards=datasets/mine",
            "train.~callbacks.preview",
            "evaluate.image_set@reference=shapes",
            "evaluate.metrics=[kid,fd]",
            "settings.base.stage.images=64",
            "data.folder=datasets/mine",
            "data.settings.source.count=60",
            "figures.learning.points.age.values=[16,32]",
            "only.encoder=[t5_nano,null,1.5]",
        ]
    )
    assert read.definition == {
        "train": {"data.shards": "datasets/mine", "~callbacks.preview": None},
        "evaluate": {"image_set@reference": "shapes", "metrics": ["kid", "fd"]},
        "settings": {"base": {"stage.images": 64}},
        "data": {"folder": "datasets/mine", "settings": {"source.count": 60}},
        "figures": {"learning": {"points": {"age": {"values": [16, 32]}}}},
    }
    assert read.only == {"encoder": ["t5_nano", "null", "1.5"]}


def test_several_values_at_once_are_refused() -> None:
    with pytest.raises(InputError, match="several values"):
        changes.read(["train.seed=1,2"])


def test_bare_words_become_settings_and_others_words_are_collected() -> None:
    words = ["text_encoder", "status", "scale=paper", "train.data.shards='my data'", "--cfg", "job"]
    expanded = bare_words.expand("ablate", words)
    assert expanded[:3] == ["ablation=text_encoder", "do=status", "at_scale=paper"]
    assert expanded[-2:] == ["--cfg", "job"], "a word after a flag is the flag's"
    assert bare_words.expand("ablate", expanded) == expanded, "once is enough"
    assert bare_words.expand("train", words) == words, "no other command has bare words"
