"""Each fault of the input gets one sentence and a non-zero exit; each bug keeps its traceback.

The doors here belong to a tiny house of their own, so that the sentences are known in full.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.errors import InstantiationException
from omegaconf import OmegaConf

from imagen_lit import assets, complaint, door

DOOR = r"""
import os, sys
from pathlib import Path
from imagen_lit import assets, door

assets.root = lambda: Path(__file__).parent
__package__ = "imagen_lit"  # the tiny door plays one of ours


@door.main("tiny")
def main(cfg):
    full = os.environ.get("HYDRA_FULL_ERROR")
    sys.stdout.write(f"colour {cfg.paint.colour} full error {full}\n")
    match cfg.fault:
        case "ours":
            raise ValueError("found no shards in here, expected some: type make demo")
        case "bug":
            int("seven")
        case "file":
            open("nowhere.txt")
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
            print(door.compose("tiny", ["paint=blue"]).paint.colour)
            from hydra.core.hydra_config import HydraConfig
            print(HydraConfig.get().job.name, cfg.paint.colour)
        case "missing":
            print(cfg.needed)


if __name__ == "__main__":
    main()
"""
FILES = {
    "tiny.py": DOOR,
    "conf/tiny.yaml": """
defaults: [_self_, paint: red]
fault: none
needed: ???
trainer: {max_steps: 3}
hydra: {run: {dir: out}, sweep: {dir: out}, output_subdir: null}
""",
    "conf/paint/red.yaml": "colour: red\n",
    "conf/paint/blue.yaml": "colour: blue\nshade: 2\n",
    "conf/paint/broken.yaml": "colour: [red\n",
    "sweeps/pair.yaml": "hydra: {mode: MULTIRUN, sweeper: {params: {paint: 'red,blue'}}}\n",
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("house")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def knock(house: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if key != "HYDRA_FULL_ERROR"}
    return subprocess.run(
        [sys.executable, "tiny.py", *words],
        cwd=house,
        env=clean | environment | {"PYTHONPATH": str(assets.PACKAGE.parent)},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("paint=bleu", ["'paint' has no option 'bleu'", "did you mean paint=blue?", "red"]),
        ("pain=blue", ["no key or group 'pain'", "did you mean paint?"]),
        ("trainer.max_step=4", ["'trainer.max_step'", "did you mean trainer.max_steps"]),
        ("max_steps=4", ["'max_steps'", "did you mean trainer.max_steps"]),
        ("+sweep=pear", ["'sweep' has no option 'pear'", "+sweep=pair"]),
        ("+experiment=x", ["no group", "the groups are"]),
        ("+sweeps=pair", ["+sweeps= names no group", "did you mean sweep?"]),
        ("+trainr.max_steps=4", ["to trainr, which is not there", "did you mean trainer?"]),
        ("+pain/blue=x", ["to pain, which is not there", "++pain/blue="]),
        ("fault=[a", ["cannot read 'fault=[a'", "quotes"]),
        ("fault=a,b", ["Ambiguous value", "--multirun"]),
        ("paint=broken", ["broken.yaml"]),
        ("fault=missing", ["needed has no value: type needed=..."]),
        ("fault=ours", ["found no shards in here, expected some: type make demo"]),
        ("fault=file", ["nowhere.txt", "No such file"]),
        ("fault=disk", ["the disk is full", "same command"]),
    ],
)
def test_a_fault_of_the_input_is_told_in_one_sentence(
    house: Path, typed: str, told: list[str]
) -> None:
    answer = knock(house, typed)
    assert answer.returncode == 1
    assert answer.stderr.startswith("error: ")
    assert answer.stderr.count("\n") == 1, answer.stderr
    for words in told:
        assert words in answer.stderr


def test_a_key_that_only_another_option_has_is_suggested_when_that_option_is_chosen(
    house: Path,
) -> None:
    assert "did you mean paint.shade?" in knock(house, "paint=blue", "paint.shadow=1").stderr
    assert "paint.shade" not in knock(house, "paint.shadow=1").stderr


def test_a_bug_keeps_its_traceback(house: Path) -> None:
    answer = knock(house, "fault=bug")
    assert answer.returncode == 1
    assert "Traceback" in answer.stderr and 'int("seven")' in answer.stderr


def test_the_full_error_can_be_asked_for(house: Path) -> None:
    answer = knock(house, "fault=ours", HYDRA_FULL_ERROR="1")
    assert answer.returncode == 1
    assert "Traceback" in answer.stderr and "full error 1" in answer.stdout


def test_a_door_hides_its_own_use_of_full_error_from_what_it_starts(house: Path) -> None:
    assert "full error None" in knock(house).stdout


@pytest.mark.parametrize("fault", ["interrupt", "lightning"])
def test_an_interrupt_says_how_to_go_on(house: Path, fault: str) -> None:
    answer = knock(house, f"fault={fault}")
    assert answer.returncode == 130
    assert answer.stderr == "stopped; type the same command to continue\n"


def test_an_interrupt_while_a_door_still_imports_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "omegaconf.py").write_text("raise KeyboardInterrupt")
    (tmp_path / "hydra.py").write_text("raise OSError('a fault of ours')")
    path = os.pathsep.join(map(str, (tmp_path, assets.PACKAGE.parent)))
    answers = [
        subprocess.run(
            [sys.executable, "-m", f"imagen_lit.{name}"],
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=120,
        )
        for name in ("sample", "door")
    ]
    assert answers[0].returncode == 130
    assert answers[0].stderr == "stopped; type the same command to continue\n"
    assert answers[1].returncode == 1 and "Traceback" in answers[1].stderr, "no other is hidden"


def test_help_and_cfg_answer_as_hydra_does(house: Path) -> None:
    assert "max_steps: 3" in knock(house, "--help").stdout
    shown = knock(house, "--cfg", "job", "paint=blue")
    assert shown.returncode == 0
    assert OmegaConf.create(shown.stdout).paint == {"colour": "blue", "shade": 2}
    assert "fault=" in knock(house, "-sc", "query=bash", COMP_LINE="tiny.py fau").stdout


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_sweep_runs_every_point_and_fails_if_one_fails(house: Path, launcher: str) -> None:
    words = ["-m", "+sweep=pair", f"hydra/launcher={launcher}"]
    good = knock(house, *words)
    assert good.returncode == 0, good.stderr
    assert "colour red" in good.stdout and "colour blue" in good.stdout
    bad = knock(house, *words, "fault=none,ours")
    assert bad.returncode == 1
    assert "colour blue" in bad.stdout, "the points after the failing one run all the same"
    point, told = bad.stderr.strip().splitlines()[-2:]
    assert "fault=ours" in point and "paint=red" in point
    assert told.startswith("error: found no shards")


def test_a_door_can_compose_another_config_while_it_is_open(house: Path) -> None:
    answer = knock(house, "fault=inner")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[1:] == ["blue", "tiny red"]


def test_a_door_called_with_a_config_runs_in_this_process() -> None:
    opened = door.main("train")(lambda cfg: cfg.number + 1)
    assert opened(OmegaConf.create({"number": 2})) == 3


GOOD = {"_target_": "torch.optim.AdamW", "_partial_": True, "lr": 0.1}


def test_build_makes_what_a_node_describes_out_of_plain_values() -> None:
    partial = door.build(OmegaConf.create(GOOD | {"betas": [0.9, 0.99]}))
    assert type(partial.keywords["betas"]) is list


@pytest.mark.parametrize(
    ("node", "told"),
    [
        ({"_target_": "subprocess.run", "args": "true"}, "which a config may not build"),
        ({"_target_": "imagen_litter.Thing"}, "which a config may not build"),
        ({"a": [{"_target_": "os.remove", "path": "x"}]}, r"a\[0\] has _target_ os.remove"),
        (GOOD | {"learning": 1}, "the node.learning is no parameter"),
        (GOOD | {"weight_decays": 1}, r"did you mean weight_decay\?"),
        (GOOD | {"_partial_": False}, "lacks params"),
        ({"_target_": "imagen_lit.door.main", "config_name": 3}, "wants str"),
        ({"_target_": "imagen_lit.door.main", "config_name": ["a"]}, "wants str"),
        (
            {"_target_": "imagen_lit.door.compose", "config_name": "a", "overrides": "b"},
            "wants seq",
        ),
    ],
)
def test_build_refuses_what_a_node_must_not_say(node: dict, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        door.build(OmegaConf.create(node))


def test_an_error_of_a_room_reads_the_same_when_a_loader_worker_or_a_constructor_raises_it() -> (
    None
):
    worker = ValueError(
        "Caught ValueError in DataLoader worker process 0.\nOriginal Traceback (most recent call "
        'last):\n  File "x/torch/utils/fetch.py", line 5, in fetch\n    data = read()\n'
        '  File "x/imagen_lit/data/shard.py", line 9, in read\n    raise ValueError(words)\n'
        "ValueError: 00000.tar is cut short: write it again\n"
    )
    assert complaint.of(worker, list) == "00000.tar is cut short: write it again"
    bug = ValueError(str(worker).replace("raise ValueError(words)", "int('x')"))
    assert complaint.of(bug, list) is None
    build = InstantiationException("Error in call to target\nfull_key: data.source")
    build.__cause__ = worker
    told = complaint.of(build, list)
    assert told == "00000.tar is cut short: write it again (while building data.source)"


def test_an_error_without_words_is_told_by_its_kind() -> None:
    afar = TimeoutError(
        "Caught TimeoutError in DataLoader worker process 1.\nOriginal Traceback (most recent call "
        'last):\n  File "x/imagen_lit/data/tar.py", line 9, in read\n    return store.read(n)\n'
        "TimeoutError\n"
    )
    assert complaint.of(afar, list) == complaint.of(TimeoutError(), list) == "TimeoutError"


def test_a_cluster_that_takes_no_job_is_told_in_a_sentence() -> None:
    from subprocess import CalledProcessError

    from submitit.core.utils import FailedJobError

    for refused in (
        FailedJobError("sbatch: error: Unable to contact slurm controller"),
        CalledProcessError(1, ["sbatch", "submission.sh"]),
        RuntimeError('Could not detect "srun", are you indeed on a slurm cluster?'),
    ):
        told = complaint.of(refused, list)
        assert told and str(refused)[:20] in told and "launcher=joblib" in told
    member = FailedJobError("Job (task=0) failed during processing with trace: …")
    assert complaint.of(member, list) is None, "a member's own traceback must be seen"
