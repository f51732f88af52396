"""Every default at the paper's scale says in `conf/` whose choice it is: the paper's, and where it
says so; or ours, because ...; or that of another work."""

from pathlib import Path

import pytest
import yaml

from imagen_lit.cli import assets
from imagen_lit.paper import conf_file, deviation, flat_settings, reference, source
from imagen_lit.paper.source import Choice

CONF = Path(assets.conf())
PATTERNS = ["stage/base64", "stage/sr256", "stage/sr1024", "network/unet_[0-9]*"]
PATTERNS += ["network/efficient_unet_*", "optimizer/adafactor", "optimizer/adam"]
PATTERNS += ["diffusion/*/*"]
OPTIONS = sorted(
    file.relative_to(CONF).with_suffix("").as_posix()
    for pattern in PATTERNS
    for file in CONF.glob(f"{pattern}.yaml")
)
BUILT = ("_target_", "_partial_", "defaults")
ASK = "Write beside it # F.1, or the like; or # ours: because ..."


def values(option: str) -> dict[str, object]:
    """Of each key that holds a value of its own, as people type it."""
    own = yaml.safe_load((CONF / f"{option}.yaml").read_text())
    prefix = (
        "" if option.startswith("stage/") else option.rpartition("/")[0].replace("/", ".") + "."
    )

    def walk(node: dict[str, object], key: str) -> dict[str, object]:
        leaves: dict[str, object] = {}
        for name, value in node.items():
            if isinstance(value, dict):
                leaves |= walk(value, f"{key}{name}.")
            elif name not in BUILT and not str(value).startswith("${"):
                leaves[f"{key}{name}"] = value
        return leaves

    return walk(own, prefix)


@pytest.mark.parametrize("option", OPTIONS)
def test_a_default_at_the_papers_scale_has_a_source(option: str) -> None:
    comments = conf_file.read(CONF, option).comments
    without = [
        key
        for key in flat_settings.compared(dict.fromkeys(values(option), ""))
        if source.read(comments[key]).choice is Choice.UNKNOWN
    ]
    assert without == [], f"conf/{option}.yaml: {without} without a source. {ASK}"


@pytest.mark.parametrize("option", [o for o in OPTIONS if o.startswith("stage/")])
def test_what_a_stage_of_the_paper_chooses_has_a_source(option: str) -> None:
    choices = conf_file.read(CONF, option).choices
    without = [g for g, (_, word) in choices.items() if source.read(word).choice is Choice.UNKNOWN]
    assert without == [], f"conf/{option}.yaml chooses {without} without a source. {ASK}"


@pytest.mark.parametrize("stage", sorted(reference.STAGES))
def test_nothing_that_a_stage_of_the_paper_does_is_without_a_source(stage: str) -> None:
    """Whatever file of `conf/` it comes from."""
    paper = reference.of(stage)
    without = [
        key
        for key, value in paper.values.items()
        if paper.sources[key].choice is Choice.UNKNOWN and value not in deviation.NOTHING
    ]
    assert without == [], f"stage={stage} has {without} without a source in conf/. {ASK}"


def test_the_patterns_find_the_papers_files() -> None:
    assert {"stage/sr1024", "network/unet_2b", "network/efficient_unet_600m"} <= {*OPTIONS}
