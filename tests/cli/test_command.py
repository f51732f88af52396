"""Each error of the input gives one sentence and a non-zero exit; each bug keeps its traceback.

The command here belongs to a tiny package of its own, so that its sentences are known in full.
"""

import os
import pickle
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.errors import ConfigCompositionException, InstantiationException, OverrideParseException
from omegaconf import OmegaConf

from imagen_lit.basics.errors import InputError, RunError, UserError
from imagen_lit.cli import assets, command, config, console, user_error

COMMAND = r"""
import os, sys
from pathlib import Path
from imagen_lit.basics.errors import InputError
from imagen_lit.basics.progress_line import Counter
from imagen_lit.cli import assets, command, config

assets.root = lambda: Path(__file__).parent


@command.main("tiny")
def main(cfg):
    full = os.environ.get("HYDRA_FULL_ERROR")
    sys.stdout.write(f"colour {cfg.paint.colour} full error {full}\n")
    match cfg.fault:
        case "ours":
            raise InputError("there are no shards here. Type make demo.")
        case "bug":
            int("seven")
        case "counted":
            Counter("shards")(1, 2)
            raise InputError("the second one is broken. Delete it.")
        case "file":
            open("nowhere.txt")
        case "part":
            from hydra.errors import InstantiationException
            raise InstantiationException("full_key: wall.left") from InputError("left.width=9.")
        case "disk":
            with open("/dev/full", "w") as full:
                full.write("x")
        case "interrupt":
            raise KeyboardInterrupt
        case "lightning":
            try:
                raise KeyboardInterrupt
            except KeyboardInterrupt:
                sys.exit(1)
        case "inner":
            print(config.compose("tiny", ["paint=blue"]).paint.colour)
            from hydra.core.hydra_config import HydraConfig
            print(HydraConfig.get().job.name, cfg.paint.colour)
        case "missing":
            print(cfg.needed)


if __name__ == "__main__":
    main()
"""
FILES = {
    "tiny.py": COMMAND,
    "conf/tiny.yaml": """
defaults: [_self_, paint: red, frame@wall.left: oak]
fault: none
needed: ???
trainer: {max_steps: 3}
hydra: {run: {dir: out}, sweep: {dir: out}, output_subdir: null}
""",
    "conf/frame/oak.yaml": "width: 1\n",
    "conf/paint/red.yaml": "colour: red\n",
    "conf/paint/blue.yaml": "colour: blue\nshade: 2\n",
    "conf/paint/broken.yaml": "colour: [red\n",
    "sweeps/pair.yaml": "hydra: {mode: MULTIRUN, sweeper: {params: {paint: 'red,blue'}}}\n",
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def run(package: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if key != "HYDRA_FULL_ERROR"}
    return subprocess.run(
        [sys.executable, "tiny.py", *words],
        cwd=package,
        env=clean | environment | {"PYTHONPATH": str(assets.PACKAGE.parent)},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        ("paint=bleu", ["'paint' has no option 'bleu'", "did you mean paint=blue?", "red"]),
        ("pain=blue", ["no key or group 'pain'", "did you mean paint?"]),
        ("frame=oak", ["no key or group 'frame'", "did you mean frame@wall.left?"]),
        ("trainer.max_step=4", ["'trainer.max_step'", "did you mean trainer.max_steps"]),
        ("max_steps=4", ["'max_steps'", "did you mean trainer.max_steps"]),
        ("+sweep=pear", ["'sweep' has no option 'pear'", "+sweep=pair"]),
        ("+experiment=x", ["no group", "Choose from"]),
        ("+sweeps=pair", ["+sweeps= names no group", "did you mean sweep?"]),
        ("+trainr.max_steps=4", ["to trainr, which is not there", "did you mean trainer?"]),
        ("+pain/blue=x", ["to pain, which is not there", "++pain/blue="]),
        ("fault=[a", ["cannot read 'fault=[a'", "quotes"]),
        ("fault=a,b", ["Ambiguous value", "--multirun"]),
        ("paint=broken", ["broken.yaml"]),
        ("fault=missing", ["needed has no value. Set needed=..."]),
        ("fault=ours", ["there are no shards here. Type make demo."]),
        ("fault=file", ["nowhere.txt", "No such file"]),
        ("fault=part", ["error: wall.left.width=9."]),
        ("fault=disk", ["the disk is full", "same command"]),
    ],
)
def test_an_error_of_the_input_gives_one_sentence(
    package: Path, typed: str, parts: list[str]
) -> None:
    answer = run(package, typed)
    assert answer.returncode == 1
    assert answer.stderr.startswith("error: ")
    assert answer.stderr.count("\n") == 1, answer.stderr
    for part in parts:
        assert part in answer.stderr


def test_a_key_of_another_option_is_suggested_if_that_one_is_chosen(
    package: Path,
) -> None:
    assert "did you mean paint.shade?" in run(package, "paint=blue", "paint.shadow=1").stderr
    assert "paint.shade" not in run(package, "paint.shadow=1").stderr


def test_to_show_every_point_at_once_is_refused(package: Path) -> None:
    answer = run(package, "--multirun", "--cfg", "job", "paint=red,blue")
    assert answer.stderr.count("\n") == 1 and "leave --multirun out" in answer.stderr


def test_a_bug_keeps_its_traceback(package: Path) -> None:
    answer = run(package, "fault=bug")
    assert answer.returncode == 1
    assert "Traceback" in answer.stderr and 'int("seven")' in answer.stderr


def test_on_a_terminal_an_error_starts_on_a_line_of_its_own(package: Path) -> None:
    screen, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "tiny.py", "fault=counted"],
        cwd=package,
        env=os.environ | {"PYTHONPATH": str(assets.PACKAGE.parent)},
        stderr=terminal,
    )
    assert process.wait(timeout=120) == 1
    shown = os.read(screen, 10_000).decode()
    os.close(screen)
    os.close(terminal)
    assert shown.endswith("1/2 shards\r\nerror: the second one is broken. Delete it.\r\n")


def test_the_full_error_can_be_asked_for(package: Path) -> None:
    answer = run(package, "fault=ours", HYDRA_FULL_ERROR="1")
    assert answer.returncode == 1
    assert "Traceback" in answer.stderr and "full error 1" in answer.stdout


def test_a_command_hides_its_own_use_of_full_error_from_its_children(package: Path) -> None:
    assert "full error None" in run(package).stdout


@pytest.mark.parametrize("fault", ["interrupt", "lightning"])
def test_an_interrupt_says_how_to_continue(package: Path, fault: str) -> None:
    answer = run(package, f"fault={fault}")
    assert answer.returncode == 130
    assert answer.stderr == "stopped; type the same command to continue\n"


@pytest.mark.parametrize("library", ["hydra", "torch"])  # before and after the early answer
def test_an_interrupt_during_the_imports_says_the_same(tmp_path: Path, library: str) -> None:
    (tmp_path / f"{library}.py").write_text("raise KeyboardInterrupt")
    answer = run_module("sample", tmp_path)
    assert answer.returncode == 130
    assert answer.stderr == "stopped; type the same command to continue\n"


def test_another_error_during_the_imports_is_not_hidden(tmp_path: Path) -> None:
    (tmp_path / "hydra.py").write_text("raise OSError('a bug of ours')")
    answer = run_module("sample", tmp_path)
    assert answer.returncode == 1 and "Traceback" in answer.stderr


def run_module(name: str, first_on_path: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(map(str, (first_on_path, assets.PACKAGE.parent)))
    return subprocess.run(
        [sys.executable, "-m", f"imagen_lit.{name}"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_cfg_and_completion_answer_as_hydra_does(package: Path) -> None:
    shown = run(package, "--cfg", "job", "paint=blue")
    assert shown.returncode == 0
    assert OmegaConf.create(shown.stdout).paint == {"colour": "blue", "shade": 2}
    assert "fault=" in run(package, "-sc", "query=bash", COMP_LINE="tiny.py fau").stdout


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_sweep_runs_every_point_and_fails_if_one_fails(package: Path, launcher: str) -> None:
    words = ["-m", "+sweep=pair", f"hydra/launcher={launcher}"]
    good = run(package, *words)
    assert good.returncode == 0, good.stderr
    assert "colour red" in good.stdout and "colour blue" in good.stdout
    bad = run(package, *words, "fault=none,ours")
    assert bad.returncode == 1
    assert "colour blue" in bad.stdout, "the points after the failing one run all the same"
    point, sentence = bad.stderr.strip().splitlines()[-2:]
    assert "fault=ours" in point and "paint=red" in point
    assert sentence.startswith("error: there are no shards")


def test_a_command_can_compose_another_config_while_it_runs(package: Path) -> None:
    answer = run(package, "fault=inner")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[1:] == ["blue", "tiny red"]


def test_a_command_called_with_a_config_runs_in_this_process() -> None:
    main = command.main("train")(lambda cfg: cfg.number + 1)
    assert main(OmegaConf.create({"number": 2})) == 3


FOLDER = {"_target_": "imagen_lit.data.source.folder.Folder"}
KEPT = {"_target_": "imagen_lit.callbacks.checkpoint.Checkpoints", "folder": "a", "every": 1}
GOOD = {"_target_": "torch.optim.AdamW", "_partial_": True, "lr": 0.1}


def test_build_makes_an_object_of_plain_values() -> None:
    partial = config.build(OmegaConf.create(GOOD | {"betas": [0.9, 0.99]}))
    assert type(partial.keywords["betas"]) is list


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"_target_": "subprocess.run", "args": "true"}, "which a config may not build"),
        ({"_target_": "imagen_litter.Thing"}, "which a config may not build"),
        ({"a": [{"_target_": "os.remove", "path": "x"}]}, r"a\[0\] has _target_ os.remove"),
        (GOOD | {"learning": 1}, "the node.learning is not a parameter"),
        (GOOD | {"weight_decays": 1}, r"did you mean weight_decay\?"),
        (GOOD | {"_partial_": False}, "lacks params"),
        (FOLDER | {"path": 3}, "takes str"),
        (FOLDER | {"path": ["a"]}, "takes str"),
        (KEPT | {"keep_at": "b"}, "takes seq"),
    ],
)
def test_build_refuses_what_a_node_must_not_contain(node: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config.build(OmegaConf.create(node))


def test_an_input_error_reads_the_same_from_a_loader_worker_or_a_constructor() -> None:
    from_worker = (
        "Caught {0} in DataLoader worker process 0.\nOriginal Traceback (most recent call "
        'last):\n  File "x/torch/utils/fetch.py", line 5, in fetch\n    data = read()\n'
        '  File "x/imagen_lit/data/shard_files/shard.py", line 9, in read\n    raise {0}(words)\n'
        "{1}: 00000.tar is truncated. Write it again.\n"
    )
    error = InputError(from_worker.format("InputError", "imagen_lit.basics.errors.InputError"))
    assert user_error.sentence(error, list) == "00000.tar is truncated. Write it again."
    bug = ValueError(from_worker.format("ValueError", "ValueError"))
    assert user_error.sentence(bug, list) is None
    build = InstantiationException("Error in call to target\nfull_key: data.source")
    build.__cause__ = error
    sentence = user_error.sentence(build, list)
    assert sentence == "00000.tar is truncated. Write it again."


@pytest.mark.parametrize(
    ("place", "text", "shown"),
    [
        ("cascade.sr.recipe", "recipe.steps=0 is 0. Set recipe.steps=1.",
         "cascade.sr.recipe.steps=0 is 0. Set cascade.sr.recipe.steps=1."),
        ("cascade.sr.recipe.guidance", "guidance.weight=x is no number.",
         "cascade.sr.recipe.guidance.weight=x is no number."),
        ("cascade.sr.recipe", "level=3 is high. Set level=1.",
         "cascade.sr.recipe.level=3 is high. Set cascade.sr.recipe.level=1."),
        ("stage.optimizer", "optimizer.lr=-1 is negative. Set optimizer=adamw.",
         "optimizer.lr=-1 is negative. Set optimizer=adamw."),
    ],
)  # fmt: skip
def test_a_refused_key_is_named_as_the_command_has_it(place: str, text: str, shown: str) -> None:
    keys = ["optimizer", "optimizer.lr", "stage.optimizer", "cascade.sr.recipe"]
    keys += [f"cascade.sr.recipe.{name}" for name in ("steps", "level", "guidance.weight")]
    build = InstantiationException(f"Error in call to target\nfull_key: {place}")
    build.__cause__ = InputError(text)
    assert user_error.sentence(build, lambda: keys) == shown


def test_a_setting_of_a_metric_that_is_not_chosen_says_so() -> None:
    with pytest.raises(ConfigCompositionException) as refused:
        config.compose("evaluate", ["metrics.kid.subset_size=8"])
    assert user_error.sentence(refused.value, list) == (
        "metrics.kid.subset_size is a setting of kid, which is not among the metrics. Add it to "
        "them: metrics=[kid], for example."
    )


def test_a_folder_that_cannot_be_made_is_named_with_what_is_in_the_way() -> None:
    for make in (lambda: Path("/proc/x/y").mkdir(parents=True), lambda: os.makedirs("/proc/x/y")):
        with pytest.raises(OSError) as refused:
            make()
        sentence = user_error.sentence(refused.value, list)
        assert sentence == (
            "/proc/x cannot be made: /proc takes no new files or folders. Choose another folder."
        )
    with pytest.raises(OSError) as missing:
        open("nowhere.txt")
    assert "No such file" in user_error.sentence(missing.value, list)


def test_bytes_that_are_not_utf_8_are_called_so() -> None:
    with pytest.raises(OverrideParseException) as refused:
        config.compose("sample", ["prompts=[a\udcff\udcfe]"])
    assert "its bytes are not UTF-8. Type" in user_error.sentence(refused.value, list)


@pytest.mark.parametrize("kind", [InputError, RunError])
def test_errors_in_words_survive_a_process_boundary(kind: type[UserError]) -> None:
    error = pickle.loads(pickle.dumps(kind("the lock is taken. Wait.")))
    assert type(error) is kind and user_error.sentence(error, list) == "the lock is taken. Wait."


@pytest.mark.parametrize("kind", [ValueError, RuntimeError, KeyError])
def test_an_error_without_that_type_is_a_bug(kind: type[Exception]) -> None:
    assert user_error.sentence(kind("some words"), list) is None


def test_an_error_without_a_message_shows_its_class() -> None:
    from_worker = TimeoutError(
        "Caught TimeoutError in DataLoader worker process 1.\nOriginal Traceback (most recent call "
        'last):\n  File "x/imagen_lit/data/remote.py", line 9, in f\n    return store.read(n)\n'
        "TimeoutError\n"
    )
    assert (
        user_error.sentence(from_worker, list)
        == user_error.sentence(TimeoutError(), list)
        == "TimeoutError"
    )


def test_a_machine_without_slurm_gives_a_sentence() -> None:
    refused = RuntimeError('Could not detect "srun", are you indeed on a slurm cluster?')
    told = user_error.sentence(refused, list)
    assert told and told.startswith("this machine has no SLURM.") and "launcher=joblib" in told


@pytest.mark.parametrize(
    "words",
    [
        "[…/gloo/transport/tcp/pair.cc:537] Read error [127.0.0.1]:9378: Connection reset by peer.",
        "NCCL error in: NCCLUtils.cpp:77 …\nncclRemoteError: A call failed possibly due to …",
    ],
)
def test_a_process_that_is_gone_is_told_in_our_words(words: str) -> None:
    told = user_error.sentence(RuntimeError(words), list)
    assert told and told.startswith("a process of the training was killed"), told
    assert told.endswith("Type the same command to continue.")


def run_console(*words: str) -> subprocess.CompletedProcess[str]:
    code = "from imagen_lit.cli import console; console.main()"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        env=os.environ | {"PYTHONPATH": str(assets.PACKAGE.parent)},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("words", "module"), [(["sample"], "sample"), (["bench", "data"], "bench_data")]
)
def test_the_console_script_is_python_m(words: list[str], module: str) -> None:
    by_name = run_console(*words, "--cfg", "job")
    by_module = subprocess.run(
        [sys.executable, "-m", f"imagen_lit.{module}", "--cfg", "job"],
        env=os.environ | {"PYTHONPATH": str(assets.PACKAGE.parent)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert by_name.returncode == by_module.returncode == 0, by_name.stderr
    assert by_name.stdout == by_module.stdout != ""


def test_the_console_script_lists_its_commands() -> None:
    overview = run_console("--help").stdout
    for name in console.commands():
        line = rf"^  {name.replace('bench_', 'bench ')} +[A-Z].+"
        assert re.search(line, overview, flags=re.MULTILINE), f"{name} has a line that explains it"
    unknown = run_console("trian")
    assert unknown.returncode == 1
    assert "there is no command 'trian'" in unknown.stderr and "train" in unknown.stderr
