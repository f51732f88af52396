"""What needs no training is answered before the imports that training needs."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from imagen_lit.basics.errors import InputError
from imagen_lit.cli import assets, bare_words, config, console, flags, help_text, interrupt

COMMANDS = console.commands()


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")


HEAVY = ("torch", "lightning", "transformers", "wandb", "numpy", "matplotlib", "PIL")


def start(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def imported(stderr: str) -> set[str]:
    """The packages in Python's report on imports."""
    names = re.findall(r"^import time:.*\| +([\w.]+)$", stderr, flags=re.MULTILINE)
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("train --help", "Train one stage"),
        ("train --cfg job", "stage:"),
        ("train stage.imags=3", "did you mean stage.images?"),
        ("train -m stage.imags=3,4", "did you mean stage.images?"),
        ("train +sweep=dem", "did you mean +sweep=demo?"),
        ("train +sweeep=demo", "did you mean sweep?"),
        ("evaluate metrics=[fd,kdi]", "did you mean metrics=[fd,kid]?"),
        ("sample cascade=dem", "did you mean cascade=demo?"),
        ("sample cascade=null", "a group cannot be null"),
        ("bench data count=1 roundz=2", "did you mean rounds?"),
        ("evaluate --dryrun", "did you mean --dry-run"),
    ],
)
def test_an_answer_comes_before_the_imports_that_take_seconds(words: str, answer: str) -> None:
    name, *rest = words.split()
    done = start("-m", f"imagen_lit.{name}", *rest, PYTHONPROFILEIMPORTTIME="1")
    assert answer in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "hydra" in imported(done.stderr), "the report on imports is there"
    assert imported(done.stderr).isdisjoint(HEAVY)


def test_the_console_script_answers_as_early() -> None:
    script = "import sys; from imagen_lit.cli import console; sys.argv[1:] = ['train', '--help']; "
    done = start("-c", script + "console.main()", PYTHONPROFILEIMPORTTIME="1")
    assert done.stdout == start("-m", "imagen_lit.train", "--help").stdout
    assert imported(done.stderr).isdisjoint(HEAVY)


@pytest.mark.parametrize("words", ["train --help", "train --cfg job"])
def test_a_reader_that_has_seen_enough_ends_an_answer_quietly(words: str) -> None:
    line = f"{sys.executable} -u -m imagen_lit.{words} | head -n 1"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=120)
    assert len(done.stdout.splitlines()) == 1 and done.stderr == ""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "base").mkdir()
    (tmp_path / "base/status.json").write_text('{"state": "finished"}')
    return tmp_path


def test_a_reader_that_has_seen_enough_ends_a_command_quietly(run: Path) -> None:
    line = f"{sys.executable} -m imagen_lit.runs runs={run} | head -n 1"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("run ") and done.stderr == ""


@pytest.mark.parametrize("streams", [">&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("words", ["runs runs={}", "train --help", "train --cfg job"])
def test_a_command_works_without_an_output_to_write_to(run: Path, words: str, streams: str) -> None:
    line = f"{sys.executable} -m imagen_lit.{words.format(run)} {streams}"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_only_an_output_without_a_reader_ends_a_command_quietly() -> None:
    assert not interrupt.is_unread(BrokenPipeError())  # of another pipe
    assert not interrupt.is_unread(OSError())


@pytest.mark.parametrize("name", COMMANDS)
def test_help_opens_with_what_the_command_does(name: str) -> None:
    text = help_text.render(name, [])
    assert text.startswith(help_text.summary(name)) and len(help_text.summary(name)) > 10
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_three_examples_that_compose(name: str) -> None:
    typed = name.replace("bench_", "bench ")
    examples = re.findall(r"^  python -m imagen_lit\.(.*)$", help_text.render(name, []), flags=re.M)
    assert len(examples) >= 3
    for example in examples:
        words = shlex.split(example.removeprefix(typed))
        assert example.startswith(typed)
        words = [re.sub(r"=([^\[{,]+),.*", r"=\1", word) for word in words if word != "-m"]
        config.compose(name, bare_words.expand(name, flags.expand(words)))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_explains_every_setting_and_choice_of_a_root_config(name: str) -> None:
    text = help_text.render(name, [])
    root = OmegaConf.load(Path(assets.conf()) / f"{name}.yaml")
    own = [key for key in root if key not in ("defaults", "hydra", "_target_")]
    own = [key for key in own if not OmegaConf.is_config(OmegaConf.to_container(root)[key])]
    for key in own:
        if not isinstance(OmegaConf.to_container(root)[key], dict):
            assert re.search(rf"^  {key}=.*\n? +\S", text, flags=re.M), f"{name}: {key}"
    for entry in OmegaConf.to_container(root).get("defaults", []):
        if isinstance(entry, str) or "override" in next(iter(entry)):
            continue
        (group, _) = next(iter(entry.items()))
        if "@" not in group:
            assert re.search(rf"^  {group}=\S+\s+[^:]+:\s", text, flags=re.M), f"{name}: {group}"


def test_help_explains_what_lies_in_the_groups() -> None:
    assert re.search(
        r"^  source.path=\?\?\? +\S", help_text.render("build_shards", ["data/source=folder"]), re.M
    )
    assert re.search(r"^  prompts.count=256 +\S", help_text.render("evaluate", []), re.M)
    assert re.search(
        r"^  data/filter=bounds +which .*: bounds$", help_text.render("train", []), re.M
    )
    assert re.search(r"^  seed=0 +\S", help_text.render("bench", []), re.M)


def test_help_is_about_the_option_that_is_chosen() -> None:
    assert "stage.images=100000 " in help_text.render("train", [])
    assert "stage.images=5120000000" in help_text.render("train", ["stage=base64"])
    assert "data.shards=???" in help_text.render("train", ["stage=base64"])


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--cfg", "the flag --cfg cannot be read: expected one argument of job, hydra, all. Type"),
        ("--cfg seed=1", "the flag --cfg cannot be read: expected one argument of job, hydra"),
        ("--cfg foo", "the flag --cfg cannot be read: invalid choice: 'foo' (choose from"),
        ("--info foo", "the flag --info cannot be read: invalid choice: 'foo' (choose from"),
        ("-m=3", "the flag --multirun cannot be read: ignored explicit argument '3'. Type"),
        ("-p", "the flag --package cannot be read: expected one argument. Type --help"),
        ("-p stage", "-p stage shows a part of --cfg. Add --cfg job, or leave it out."),
        ("--shell-completion", "--shell-completion with nothing does nothing: it takes one of in"),
        ("-sc foo", "--shell-completion with foo does nothing"),
        ("-sc install=foo", "--shell-completion with install=foo does nothing"),
        ("--experimental-rerun nope", "--experimental-rerun nope needs a job's config.pickle"),
    ],
)
def test_a_flag_that_is_written_otherwise_is_refused_in_a_sentence(line: str, words: str) -> None:
    with pytest.raises(InputError) as refusal:
        flags.parse(line.split())
    assert str(refusal.value).startswith(words)


def test_settings_may_stand_on_both_sides_of_a_flag() -> None:
    flags_ = flags.parse("name=a -m seed=0,1 --dry-run".split())
    assert flags_.overrides == ["name=a", "seed=0,1", "dry_run=true"] and flags_.multirun
    assert flags.expand("--info a=1 --cfg job b=2".split()) == "a=1 b=2 --info --cfg job".split()
    assert flags.parse("-cn train a=1".split()).config_name == "train"


@pytest.mark.parametrize("word", ["--dryrun", "--helpp", "-x", "--stage=demo_sr"])
def test_a_flag_that_does_not_exist_is_refused_in_a_sentence(word: str) -> None:
    flag = word.partition("=")[0]
    with pytest.raises(InputError, match=rf"there is no flag {flag}.*Type --help"):
        flags.parse(["stage=demo_sr", word])
