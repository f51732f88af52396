"""conf/ and code agree: the same tree, once in YAML and once in Python.

The groups are found by walking the folder, so a new option is tested from the moment it exists.
"""

import functools
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from imagen_lit.cli import assets, config, user_error

CONF = Path(assets.conf())
SWEEPS = assets.root() / "sweeps"

ROOTS = sorted(path.stem for path in CONF.glob("*.yaml"))
OPTIONS = sorted(
    path.relative_to(CONF).with_suffix("")
    for path in CONF.rglob("*.yaml")
    if path.parent != CONF and path.relative_to(CONF).parts[0] != "hydra"
)
STUDIES = sorted([*CONF.glob("experiment/*.yaml"), *SWEEPS.glob("*.yaml")])

OTHERS = {"trainer", "optimizer", "logger", "callbacks"}  # slots for parts of Lightning and torch
CHOICES_OF_CHOICES = {"stage", "scale", "experiment"}
LISTS = {"metrics": "evaluate"}  # groups of which a command takes several options at once
SLOTS = {"stage/augmentation": ["stage=demo_sr"]}  # what only some trainings choose
HEAVY = {"text"}  # needs weights on disk: its keys are checked, nothing is built


def group_of(option: Path) -> str:
    return option.parent.as_posix()


def text_of(option: Path) -> str:
    return (CONF / option).with_suffix(".yaml").read_text()


def package_of(option: Path) -> str:
    header = re.search(r"^# @package (\S+)", text_of(option), flags=re.MULTILINE)
    return header[1] if header else group_of(option).replace("/", ".")


def targets(node: Any) -> Iterator[str]:
    """Every `_target_` in a plain node."""
    if isinstance(node, dict) and "_target_" in node:
        yield node["_target_"]
    for child in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        yield from targets(child)


def blueprints(node: Any) -> Iterator[DictConfig]:
    """The topmost nodes that describe an object."""
    if isinstance(node, DictConfig) and "_target_" in node:
        yield node
    elif isinstance(node, DictConfig):
        for key in node:
            if not OmegaConf.is_missing(node, key):
                yield from blueprints(node[key])


@functools.cache
def chosen(root: str, *words: str) -> dict[str, str]:
    """The groups that a root config chooses from, each with the key an override names it by."""
    choices = config.compose(root, [*words], with_hydra=True).hydra.runtime.choices
    return {key.partition("@")[0]: key for key in choices if not key.startswith("hydra/")}


@pytest.fixture
def compose(tmp_path: Path) -> Iterator[Any]:
    """Compose as a running command would: `${hydra:runtime.output_dir}` has a value."""

    def compose_running(root: str, *overrides: str) -> DictConfig:
        folder = f"hydra.runtime.output_dir={tmp_path.as_posix()}"
        cfg = config.compose(root, [*overrides, folder], with_hydra=True)
        HydraConfig.instance().set_config(cfg)
        OmegaConf.set_struct(cfg, False)
        del cfg["hydra"]
        return cfg

    yield compose_running
    HydraConfig.instance().cfg = None


# Rule 1 -----------------------------------------------------------------------------------------


def test_a_command_and_its_root_config_have_the_same_name() -> None:
    paths = assets.PACKAGE.glob("*.py")
    commands = {path.stem for path in paths if "@command.main(" in path.read_text()}
    assert commands == set(ROOTS)


@pytest.mark.parametrize("root", ROOTS)
def test_a_root_config_holds_only_what_can_be_built(root: str, compose: Any) -> None:
    config.check(OmegaConf.to_container(compose(root), resolve=True))


# Rules 2, 4 -------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_a_group_is_a_room(option: Path) -> None:
    room = option.parts[0]
    if room in OTHERS | {"experiment"}:
        return  # these point where they like, within what `config.check` allows
    is_global = group_of(option) in CHOICES_OF_CHOICES
    address = "imagen_lit." if is_global else f"imagen_lit.{group_of(option).replace('/', '.')}."
    for target in targets(OmegaConf.to_container(OmegaConf.create(text_of(option)))):
        loads_weights = room == "text" and target.startswith("transformers.")
        assert loads_weights or target.startswith(address), f"{option} builds {target}"


# Rule 3 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", [o for o in OPTIONS if o.parts[0] == "diffusion"], ids=str)
def test_an_option_is_named_after_the_thing(option: Path) -> None:
    target = OmegaConf.create(text_of(option))["_target_"]
    thing = target.rpartition(".")[2].lower().replace("_", "")
    assert thing in option.name.replace("_", ""), (
        f"{option}: the option of class {thing} needs a name with {thing} in it"
    )


# Rule 5 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("option", OPTIONS, ids=str)
def test_only_stages_and_experiments_are_choices_of_choices(option: Path) -> None:
    speaks_of_all = package_of(option) == "_global_"
    assert speaks_of_all == (group_of(option) in CHOICES_OF_CHOICES)


# Constructor = schema ---------------------------------------------------------------------------


@pytest.mark.parametrize("option", [o for o in OPTIONS if group_of(o) != "experiment"], ids=str)
def test_an_option_composes_and_builds(option: Path, compose: Any) -> None:
    group, package = group_of(option), package_of(option)
    words = SLOTS.get(group, [])
    root = next((root for root in ROOTS if group in chosen(root)), LISTS.get(group))
    root = "train" if words else root
    if root is None:  # no command chooses from it yet: it has to stand alone
        cfg = OmegaConf.create({"node": OmegaConf.create(text_of(option))})
        config.check(OmegaConf.to_container(cfg, resolve=True))
        node = cfg.node
    else:
        key = chosen(root, *words).get(group, group)
        choice = f"{key}=[{option.name}]" if group in LISTS else f"{key}={option.name}"
        cfg = compose(root, *words, choice)
        config.check(OmegaConf.to_container(cfg, resolve=True))
        package = key.partition("@")[2] or package
        node = cfg if package == "_global_" else OmegaConf.select(cfg, package)
    if option.parts[0] in HEAVY:
        return
    # No memory for the weights: the paper's networks have billions of them.
    with torch.device("meta" if option.parts[0] in {"network", "stage", "scale"} else "cpu"):
        for blueprint in blueprints(node):
            if OmegaConf.missing_keys(blueprint):
                continue  # the user's to fill in: `config.check` has checked the keys
            if blueprint.get("accelerator") == "gpu" and not torch.accelerator.is_available():
                continue  # Lightning builds no trainer without it
            assert config.build(blueprint) is not None


THRESHOLDS = sorted(path.stem for path in (CONF / "diffusion/threshold").glob("*.yaml"))


@pytest.mark.parametrize("threshold", THRESHOLDS)
@pytest.mark.parametrize("recipe", sorted(p.stem for p in (CONF / "stage/recipe").glob("*.yaml")))
def test_every_recipe_takes_every_threshold(recipe: str, threshold: str, compose: Any) -> None:
    words = [f"stage/recipe@cascade.base.recipe={recipe}"]
    words += [f"diffusion/threshold@cascade.base.recipe.threshold={threshold}"]
    node = compose("sample", "cascade=base", *words).cascade.base.recipe
    assert config.build(node).threshold.func.__name__ == threshold.removesuffix("_capped")


@pytest.mark.parametrize(
    ("words", "prompts"),
    [
        ([], "shapes.HeldOutPrompts"),
        (["data=shards"], "captions.Captions"),
        (["data=remote"], "file.TextFile"),
        (["stage=small64"], "captions.Captions"),
        (["stage=emoji_base"], "captions.ShardCaptions"),
        (["scale=emoji_gpu"], "captions.ShardCaptions"),
        (["stage=small64", "data=demo"], "shapes.HeldOutPrompts"),
        (["stage=base64", "callbacks=preview", "data/prompts=file"], "file.TextFile"),
    ],
)
def test_the_data_choose_the_prompts_of_previews(words: list[str], prompts: str) -> None:
    """The exact reader is for the shapes world alone, so no stage may choose it."""
    cfg = config.compose("train", words)
    assert cfg.prompts._target_ == f"imagen_lit.data.prompts.{prompts}"
    if "preview" in cfg.callbacks:
        assert cfg.callbacks.preview.prompts == cfg.prompts


# Experiments and sweeps -------------------------------------------------------------------------


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_study_opens_with_its_four_lines(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if "@package" not in line]
    for line, word in zip(lines, ("Question", "Expected", "Cost", "Command"), strict=False):
        assert line.startswith(f"# {word}"), f"{path.name}: line {line!r} should open with {word}"


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_point_of_a_study_composes(path: Path, compose: Any) -> None:
    line = re.search(r"python -m imagen_lit\.(\w+)", path.read_text())
    assert line, f"{path.name} does not say how to run it"
    group = "experiment" if path.parent.name == "experiment" else "sweep"
    choice = f"+{group}={path.stem}"
    params = OmegaConf.select(OmegaConf.load(path), "hydra.sweeper.params") or {}
    grid = OverridesParser.create().parse_overrides([f"{k}={v}" for k, v in params.items()])
    axes = [
        [f"{axis.get_key_element()}={value}" for value in axis.sweep_string_iterator()]
        for axis in grid
    ]
    assert bool(axes) == (group == "sweep"), f"{path.name}: a sweep has parameters"
    names = []
    for point in itertools.product(*axes):
        cfg = compose(line[1], choice, *point)
        config.check(OmegaConf.to_container(cfg, resolve=True))
        names.append(cfg.get("name"))
    if None not in names:  # the folder of a run
        assert len(set(names)) == len(names), f"{path.name}: two points share a folder: {names}"


@pytest.mark.parametrize(
    ("words", "tasks", "gpus"),
    [
        ([], 1, None),
        (["trainer.devices=2"], 2, None),
        (["trainer=gpu"], 1, 1),
        (["trainer=ddp", "trainer.devices=8"], 8, 8),
    ],
)
def test_a_job_gets_a_task_per_device_and_gpus_only_to_train_on_them(
    words: list[str], tasks: int, gpus: int | None
) -> None:
    job = config.compose("train", ["hydra/launcher=slurm", *words], with_hydra=True).hydra.launcher
    assert (job.tasks_per_node, job.gpus_per_node) == (tasks, gpus)


@pytest.mark.parametrize(
    ("words", "cpus", "memory"),
    [([], 1, None), (["data.workers=3"], 4, None), (["trainer=gpu"], 1, 64)],
)
def test_a_job_asks_for_little_unless_it_trains_on_gpus(
    words: list[str], cpus: int, memory: int | None
) -> None:
    job = config.compose("train", ["hydra/launcher=slurm", *words], with_hydra=True).hydra.launcher
    assert (job.cpus_per_task, job.mem_gb) == (cpus, memory)


@pytest.mark.parametrize("devices", ["auto", "-1", "[0,1]"])
def test_a_job_for_an_uncounted_number_of_devices_is_refused(devices: str) -> None:
    words = ["hydra/launcher=slurm", "trainer=ddp", f"trainer.devices={devices}"]
    job = config.compose("train", words, with_hydra=True).hydra.launcher
    with pytest.raises(OmegaConfBaseException) as error:
        _ = job.gpus_per_node
    sentence = user_error.sentence(error.value, list)
    assert sentence and sentence.startswith("trainer.devices="), sentence
    assert sentence.endswith("Set trainer.devices=<GPUs per node>.")
