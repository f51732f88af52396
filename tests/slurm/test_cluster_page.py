"""docs/cluster.md, followed word by word on the lab: its commands, in its order, made small."""

import io
import json
import re
import shlex
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from jobs import REPO, TINY, Jobs
from laptop import run
from PIL import Image

from imagen_lit.run import run_folder

pytestmark = [pytest.mark.slurm, pytest.mark.timeout(3600)]

PAGE = REPO / "docs/cluster.md"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
IMAGES = 64

# What is added to the page's words; all else is as on the page.
SMALL = ["scale=lab", "arms.encoder.values=[t5_nano]", "figures.trade_off.points.weight.values=[1]"]
SMALL += [f"figures.learning.points.age.values=[32,{IMAGES}]"]
ONE_CPU = ["launcher.partition=main", "launcher.gpus_per_node=null", "train.trainer.num_nodes=1"]
ONE_CPU += ["train.trainer.devices=1", "train.trainer.accelerator=cpu"]
ONE_CPU += ["train.trainer.precision=32-true", "train.data.micro_batch_size=null"]
MADE_SMALL = {"plan": SMALL, "status": SMALL, "report": SMALL}

SCALE = {
    "cascades": {"base": {"cascade": "base"}},
    "stages": {"base": {"stage": "small64", "stage.images": IMAGES}},
    "train": {"data.shards": "laion", "callbacks": "default", "~callbacks.speed": None},
    "evaluate": {
        "data/prompts": "captions",
        "prompts.count": 2,
        "metrics": ["contrast"],
        "cascade.base.recipe.steps": 1,
    },
    "data": None,
    "seeds": [0],
    "scores": {"quality": "near_black", "alignment": "near_white"},
}


def commands() -> list[list[str]]:
    fences = FENCE.findall(PAGE.read_text(encoding="utf-8"))
    lines = "".join(text for kind, text in fences if not kind).replace("\\\n", " ")
    return [shlex.split(line) for line in lines.splitlines() if line.strip()]


def write_shard(file: Path) -> None:
    """As img2dataset leaves it."""
    with tarfile.open(file, "w") as tar:
        for number in range(int(file.stem) * 20, int(file.stem) * 20 + 20):
            picture = io.BytesIO()
            pixels = np.random.default_rng(number).integers(0, 255, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(picture, "JPEG")
            known = {"caption": f"picture {number}", "original_width": 64, "original_height": 64}
            parts = {"jpg": picture.getvalue(), "txt": known["caption"].encode()}
            for suffix, content in (parts | {"json": json.dumps(known).encode()}).items():
                info = tarfile.TarInfo(f"{number:07d}.{suffix}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))


def prepare(home: Path) -> None:
    """What the page starts from."""
    (home / "laion").mkdir(parents=True)
    for number in range(2):
        write_shard(home / f"laion/{number:05d}.tar")
    (home / "slurm").symlink_to(REPO / "slurm")
    train = SCALE["train"] | {
        key: yaml.safe_load(value)
        for key, _, value in (word.partition("=") for word in TINY if not word.startswith("~"))
    }
    file = home / "sweeps/scale/lab.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(yaml.safe_dump(SCALE | {"train": train}, sort_keys=False))
    run("pretrain_text", "documents=0", folder=home)


def test_the_page_leads_from_shards_to_the_figure(jobs: Jobs, tmp_path: Path) -> None:
    prepare(tmp_path)
    here = Jobs(jobs.lab, tmp_path)
    printed = {}
    for words in commands():
        if words[0] == "sbatch":
            options = [w for w in words[1:] if w.startswith("--") and "gpu" not in w]
            rest = [word for word in words[1:] if not word.startswith("--")]
            small = [
                "--partition=main",
                "--array=0-1",
                "--cpus-per-task=1",
                "--output=embed-%a.log",
            ]
            job = here.sbatch(*options, *small, *rest, "text=t5_nano")
            for task in (0, 1):
                fields = here.wait_for_end(f"{job}_{task}", f"embed-{task}")
                assert fields["JobState"] == "COMPLETED", here.log(f"embed-{task}")
            continue
        assert words[:2] == ["python", "-m"], "a fence holds only commands that can be run"
        verb = words[4] if words[2].endswith("ablate") and "=" not in words[4] else words[2]
        small = MADE_SMALL.get(verb, [*SMALL, *ONE_CPU] if "ablate" in words[2] else [])
        done = subprocess.run(
            [sys.executable, *words[1:], *small],
            cwd=tmp_path, env=here.environment, capture_output=True, text=True, timeout=1800,
        )  # fmt: skip
        assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout}\n{done.stderr}"
        printed[verb] = done.stdout
    name = "ablation/lab/base/seed-0"
    assert run_folder.images_seen(tmp_path / "runs" / name) == IMAGES
    assert f"job {here.status(name)['job']}: train {name}" in printed["imagen_lit.ablate"]
    assert (
        f"1 training of {IMAGES} images" in printed["plan"]
        and "imagen_lit.train" in printed["plan"]
    )
    assert "1/1" in printed["status"] and "missing" not in printed["status"]
    assert "nothing has failed" in printed["retry"]
    (page,) = re.findall(r"the report: (\S+)", printed["report"])
    assert (tmp_path / page).is_file()
    assert len(list((tmp_path / "runs/ablation/lab").rglob("scores.json"))) == 3
