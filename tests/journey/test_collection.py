"""A researcher's own images, and img2dataset's shards: built, filtered, embedded, trained on."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from laptop import SMALL, run
from PIL import Image

from imagen_lit.data import sidecar
from imagen_lit.data.shard_files.collection import Collection, read_manifest
from imagen_lit.run import run_folder


def jpeg(number: int, edge: int = 64) -> bytes:
    file = io.BytesIO()
    g = np.random.default_rng(number)
    small = Image.fromarray(g.integers(0, 255, (4, 4, 3), dtype=np.uint8))
    small.resize((edge, edge), Image.Resampling.BICUBIC).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder, an album, and shards as img2dataset leaves them."""
    home = tmp_path_factory.mktemp("collection")
    run("pretrain_text", "documents=0", folder=home)
    for number in range(30):
        name = home / f"album/{number % 3}/{number:03d}"
        name.parent.mkdir(parents=True, exist_ok=True)
        name.with_suffix(".jpg").write_bytes(jpeg(number, 32 if number % 10 == 0 else 64))
        name.with_suffix(".txt").write_text(f"a red circle number {number}")
    (home / "album/0/no_caption.jpg").write_bytes(jpeg(99))
    laion = home / "laion"
    laion.mkdir()
    for number in range(3):  # of the last one, every download failed
        rows = range(number * 20, number * 20 + 20) if number < 2 else ()
        with tarfile.open(laion / f"{number:05d}.tar", "w") as tar:
            for row in rows:
                metadata = {"key": f"{row:07d}", "aesthetic": row / 5, "exif": "{}"}
                metadata |= {"original_width": 600, "original_height": 400}
                if row == 7:
                    metadata["exif"] = json.dumps({"Image Orientation": "Rotated 90 CW"})
                parts = {"jpg": jpeg(row), "txt": f"a blue square {row}".encode()}
                parts["json"] = json.dumps(metadata).encode()
                for suffix, data in parts.items():
                    info = tarfile.TarInfo(f"{row:07d}.{suffix}")
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
        (laion / f"{number:05d}_stats.json").write_text(json.dumps({"successes": len(rows)}))
    return home


def test_a_dry_run_counts_and_writes_nothing(home: Path) -> None:
    done = run(
        "build_shards", "data/source=folder", "source.path=album", "folder=datasets/none",
        "filter.min_side=64", "--dry-run", folder=home,
    )  # fmt: skip
    counts = [line.split(maxsplit=1) for line in done.stdout.splitlines() if line.strip()]
    assert counts == [["31", "in all"], ["1", "it has no caption"], ["3", "side < 64"],
                      ["27", "remain"]]  # fmt: skip
    assert not (home / "datasets").exists()


def test_an_album_becomes_shards_and_a_stage_trains_on_them(home: Path) -> None:
    done = run(
        "build_shards", "data/source=folder", "source.path=album", "folder=datasets/album",
        "per_shard=8", folder=home,
    )  # fmt: skip
    assert "30 samples in 4 shards" in done.stdout
    assert "1 entry left out: it has no caption" in done.stdout
    embed = ["embed_text", "shards=datasets/album"]
    done = run(*embed, "storage=int8", folder=home)
    assert "measured error: cosine 0.99" in done.stdout
    done = run(*embed, "storage=bfloat16", folder=home, expect=1)  # refused, not overwritten
    assert "storage is 'int8' there, 'bfloat16' here" in done.stderr
    run(
        "train", *SMALL, "data=shards", "data.shards=datasets/album", "data.validation=4",
        "data.filter.min_side=64", "stage.images=48", "callbacks=default", "name=album",
        folder=home,
    )  # fmt: skip
    assert run_folder.images_seen(home / "runs/album") == 48


def test_shards_of_img2dataset_stay_as_they_are(home: Path) -> None:
    before = {p: p.read_bytes() for p in (home / "laion").iterdir()}
    done = run(
        "build_shards", "data/source=shards", "source.path=laion", "filter.min_side=256",
        "filter.fields={aesthetic: [5, null]}", folder=home,
    )  # fmt: skip
    assert "40 samples in 3 shards" in done.stdout
    lines = done.stdout.splitlines()
    assert any(line.split() == ["15", "remain"] for line in lines), done.stdout
    assert before == {p: p.read_bytes() for p in (home / "laion").iterdir()}
    manifest = read_manifest(home / "laion")
    assert [entry["samples"] for entry in manifest["shards"].values()] == [20, 20, 0]
    assert Collection(home / "laion").open(0).orientation(7) == 6


def test_tasks_of_a_slurm_array_share_the_embedding(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = {"MIN": 5, "MAX": 6, "COUNT": 2, "STEP": 1}
    for name, value in array.items():
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", str(value))
    for task, new in ((5, "2 new sidecars are"), (6, "1 new sidecar is"), (5, "0 new sidecars")):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(task))
        assert new in run("embed_text", "shards=laion", folder=home).stdout
    files = sorted(sidecar.default_folder(home / "laion", "t5_nano").iterdir())
    assert [file.stem for file in files] == ["00000", "00001", "00002", "empty_caption"]
    assert all(file.stat().st_mode & 0o044 for file in files), "colleagues can read them"


def test_streamed_shards_are_trained_on_and_warn_when_resumed(home: Path) -> None:
    """As from an object store, whose samples come in another order after a stop."""
    run("build_shards", "data/source=shards", "source.path=laion", folder=home)
    run("embed_text", "shards=laion", folder=home)
    words = ["data=remote", f"data.shards='file:{home}/laion/{{00000..00002}}.tar'"]
    words += ["data.text=laion.text/t5_nano", "data.size=16", "name=streamed", "callbacks=default"]
    first = run("train", *SMALL, *words, "stage.images=32", folder=home)
    assert "Warning" not in first.stderr
    second = run("train", *SMALL, *words, "stage.images=64", folder=home)
    assert "resumes after 32 of 64" in second.stdout and "only statistically" in second.stderr
    rows = [json.loads(row) for row in (home / "runs/streamed/metrics.jsonl").open()]
    assert rows[-1]["images"] == 64


def test_a_dry_run_of_the_text_cache_gives_disk_hours_and_a_verdict(home: Path) -> None:
    words = ["shards=laion", "dry_run=true", "trial_seconds=0.2", "gpu=a100"]
    done = run("embed_text", *words, folder=home)
    for part in ("40 captions", "a caption in bfloat16", "captions/s measured", "a100", "verdict"):
        assert part in done.stdout
    assert not list((home / "laion.text").glob("*/*.tmp"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("build_shards", "data/source=folder"), "source.path"),
        (("build_shards", "data/source=folder", "source.path=nowhere"), "nowhere"),
        (("build_shards", "data/source=shards", "source.path=album"), "no shards"),
        (("build_shards", "data/source=shards", "source.path=laion", "filter.min_side=900"),
         "leaves none of the 40 samples"),
        (("embed_text", "shards=laion", "text=t5_xxl"), "hf download google/t5-v1_1-xxl"),
        (("embed_text", "shards=laion", "storage=float16"), "bfloat16, float32, int8"),
        (("embed_text", "shards=laion", "task=3"), "Set both, or neither"),
        (("train", "data=remote", "data.shards='pipe:touch pwned'", "data.text=x"),
         "begins with one of https"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_sentence(home: Path, words: tuple[str, ...], message: str) -> None:
    done = run(*words, folder=home, expect=1)
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1 and message in lines[0], done.stderr
    assert "Traceback" not in done.stderr and not (home / "pwned").exists()


def test_bench_text_weighs_bytes_against_the_error_and_the_text_gain(home: Path) -> None:
    run("embed_text", "shards=laion", folder=home)
    run(
        "train", *SMALL, "data=shards", "data.shards=laion", "data.validation=8",
        "stage.images=32", "callbacks=default", "name=weighed", folder=home,
    )  # fmt: skip
    done = run("bench", "text", "run=runs/weighed", "figure=curve.svg", folder=home)
    rows = {line[:44].strip(): line[44:].split() for line in done.stdout.splitlines()[3:]}
    errors = {name: float(row[1].rstrip("%")) for name, row in rows.items()}
    assert errors["bf16"] < errors["int8, channel x token"] < errors["int4, channel x token"]
    assert float(rows["int8, channel x token"][0]) < float(rows["bf16"][0]) * 0.53
    assert (home / "curve.svg").read_text().startswith("<svg")


def test_bench_data_measures_the_reader_beside_webdataset(home: Path) -> None:
    done = run(
        "bench", "data", "count=40", "per_shard=20", "width=64", "batch=10", "rounds=1",
        "shards=500", "scratch=.", folder=home,
    )  # fmt: skip
    for part in ("raw reading", "ratio", "decode", "order of 40,000 shards", "images/s on this"):
        assert part in done.stdout
    assert not list(home.glob("imagen_lit_bench_*"))
