"""The files of an ablation: what each refusal says, and which file's word counts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.utils import get_class

from imagen_lit.ablation import changes, definition, figure_scores
from imagen_lit.basics.errors import InputError
from imagen_lit.cli import assets, config

FIGURE = {"x": "alignment", "y": "quality"}
OWN: dict[str, Any] = {
    "arms": {"rate": {"setting": "optimizer.lr", "values": [1, 2, 3]}},
    "stages": ["base"],
    "figures": {"curve": FIGURE},
}


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Write an ablation of the user's, from the working directory."""
    monkeypatch.chdir(tmp_path)

    def write_file(name: str = "mine", kind: str = "ablation", **own: Any) -> Path:
        file = tmp_path / "sweeps" / kind / f"{name}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump({**OWN, **own}))
        return file

    return write_file


def test_the_projects_own_ablations_can_be_read_at_their_scales() -> None:
    for name in definition.names():
        for scale in definition.scales():
            found = definition.read(name, scale)
            assert found.figures and found.seeds
            assert set(found.head) == set(definition.HEAD), "a file begins with its question"


def given(found: definition.Definition) -> set[str]:
    """The scores that its metrics give, and its prompts' own judge."""
    metrics = config.compose(
        "evaluate", [f"metrics=[{','.join(found.evaluate['metrics'])}]"]
    ).metrics
    names: set[str] = set()
    for key, node in metrics.items():
        numbers = get_class(node._target_).numbers
        names |= {*numbers} if isinstance(numbers, tuple) else {node.get("name", key)}
    is_judged = found.evaluate.get("data/prompts", "shapes") == "shapes"
    return names | ({"exact"} if is_judged else set())


@pytest.mark.parametrize("scale", definition.scales())
@pytest.mark.parametrize("name", definition.names())
def test_the_metrics_give_what_the_figures_show(name: str, scale: str) -> None:
    found = definition.read(name, scale)
    for figure in found.figures:
        assert {*figure_scores.of(found, figure)} <= given(found), figure.name


def test_what_is_nearer_counts(write: Callable[..., Path]) -> None:
    at_scale = {"demo": {"train": {"b": 2, "c": 2}, "seeds": [7]}}
    write(train={"a": 1, "b": 1, "c": 1}, scales=at_scale)
    changed = changes.read(["train.c=3", "settings.base.stage.images=64"], [5])
    found = definition.read("mine", "demo", changed.definition)
    assert {key: found.train[key] for key in "abc"} == {"a": 1, "b": 2, "c": 3}
    assert found.seeds == (5,) and found.settings["base"]["stage.images"] == 64
    usual = found.usual["base"]
    assert usual["logger"] == "files" and "a" not in usual, "what the scale alone says"


def test_only_some_arms_are_chosen(write: Callable[..., Path]) -> None:
    write()
    only = changes.read(["only.rate=[3,1]"]).only
    (rate,) = definition.read("mine", "demo", {}, only).arms
    assert [choice.label for choice in rate.choices] == ["1", "3"], "in their own order"


def test_every_misspelt_name_is_refused_with_the_right_one(write: Callable[..., Path]) -> None:
    write()
    for name, scale, hint in (("mien", "demo", "mine"), ("mine", "dmeo", "demo")):
        with pytest.raises(InputError, match=rf"did you mean {hint}\?"):
            definition.read(name, scale)


@pytest.mark.parametrize(
    ("own", "message"),
    [
        ({"stages": ["bsae"]}, r"the stage bsae .*did you mean base\?"),
        ({"settings": {"bsae": {"a": 1}}}, r"the stage bsae .*did you mean base\?"),
        ({"armz": {}}, r"has the key armz \(did you mean arms\?\)"),
        ({"figures": {}}, "says nothing of figures"),
        ({"stages": []}, "says nothing of stages"),
        ({"seeds": []}, "Write whole numbers"),
        ({"seeds": 0}, "Write whole numbers"),
        (
            {"train": {"data.shards": "mine"}},
            r"makes shards in datasets/demo\. Set data\.folder=mine",
        ),
        ({"figures": {"c": {"x": "qualty", "y": "kid"}}}, r"x: qualty \(did you mean quality\?\)"),
        ({"seeds": [0, 0]}, "each once"),
        ({"seeds": ["0"]}, "Write whole numbers"),
        ({"seeds": [True]}, "Write whole numbers"),
        ({"arms": {"rate": {"setting": "a", "values": []}}}, "rate has no values"),
        ({"arms": {"rate": {"setting": "a", "values": [1, 1]}}}, "one of them twice"),
        ({"arms": {"rate": {"setting": "a", "values": [1], "to": ["sr9"]}}}, "rate is for sr9"),
        ({"figures": {"curve": {"x": "a"}}}, "curve says nothing of y"),
        ({"figures": {"curve": {**FIGURE, "z": 1}}}, "curve has the key z"),
        ({"figures": {"curve": {**FIGURE, "line": "raet"}}}, r"line: raet \(did you mean rate\?\)"),
        ({"scales": {"demo": {"armz": 1}}}, r"scales\.demo has the key armz"),
    ],
)
def test_each_mistake_is_refused_in_a_sentence(
    write: Callable[..., Path], own: dict[str, Any], message: str
) -> None:
    write(**own)
    with pytest.raises(InputError, match=message) as refusal:
        definition.read("mine", "demo")
    assert "mine.yaml" in str(refusal.value)


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("figures.curev.x=age", r"no curev among its figures \(did you mean curve\?\)"),
        (
            "figures.curve.points.agee.values=[1]",
            r"no agee among its points \(did you mean age\?\)",
        ),
        ("arms.raet.values=[1]", r"no raet among its arms \(did you mean rate\?\)"),
    ],
)
def test_what_is_misspelt_on_the_command_line_is_no_new_name(
    write: Callable[..., Path], word: str, hint: str
) -> None:
    write(figures={"curve": {**FIGURE, "points": {"age": {"setting": "a", "values": [1, 2]}}}})
    with pytest.raises(InputError, match=hint):
        definition.read("mine", "demo", changes.read([word]).definition)


def test_an_arm_that_does_not_exist_cannot_be_chosen(write: Callable[..., Path]) -> None:
    write()
    mistakes = {"raet": (["1"], "did you mean rate"), "rate": (["9"], "no arm 9")}
    cases = [({axis: labels}, words) for axis, (labels, words) in mistakes.items()]
    for only, message in (*cases, ({"rate": []}, r"leaves no arm\. Choose from 1, 2, 3")):
        with pytest.raises(InputError, match=message):
            definition.read("mine", "demo", {}, only)


def test_a_file_of_the_name_of_ours_must_be_ours(write: Callable[..., Path]) -> None:
    ours = assets.root() / "sweeps/ablation/text_encoder.yaml"
    write("text_encoder").write_bytes(ours.read_bytes())
    definition.read("text_encoder", "demo")
    write("text_encoder")
    with pytest.raises(InputError, match="two ablations of one name would share their results"):
        definition.read("text_encoder", "demo")


@pytest.mark.parametrize(("text", "message"), [("[1]", "holds no settings"), ("a: [", "not valid")])
def test_a_file_that_is_no_yaml_mapping_is_named(
    write: Callable[..., Path], text: str, message: str
) -> None:
    write().write_text(text)
    with pytest.raises(InputError, match=rf"mine\.yaml.*{message}"):
        definition.read("mine", "demo")


def test_the_page_about_clusters_embeds_in_the_precision_that_the_paper_scale_trains_with() -> None:
    page = (assets.root() / "docs/cluster.md").read_text().replace("\\\n", "")
    line = next(each for each in page.splitlines() if "slurm/embed_text.sbatch" in each)
    words = line.partition("embed_text.sbatch")[2].split()
    at_paper = definition.read("text_encoder", "paper")
    embedded = config.compose("embed_text", words).text.dtype
    assert embedded == at_paper.train["text.dtype"] == at_paper.evaluate["text.dtype"]
