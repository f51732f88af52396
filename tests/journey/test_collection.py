"""A researcher's own pictures, and img2dataset's shards: built, filtered, embedded, trained on."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from laptop import SMALL, run
from PIL import Image

from imagen_lit import run_folder
from imagen_lit.data import sidecar
from imagen_lit.data.collection import Collection, read_manifest


def picture(number: int, edge: int = 64) -> bytes:
    file = io.BytesIO()
    g = np.random.default_rng(number)
    small = Image.fromarray(g.integers(0, 255, (4, 4, 3), dtype=np.uint8))
    small.resize((edge, edge), Image.Resampling.BICUBIC).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder, an album, and shards as img2dataset leaves them."""
    place = tmp_path_factory.mktemp("collection")
    run("pretrain_text", "documents=0", folder=place)
    for number in range(30):
        name = place / f"album/{number % 3}/{number:03d}"
        name.parent.mkdir(parents=True, exist_ok=True)
        name.with_suffix(".jpg").write_bytes(picture(number, 32 if number % 10 == 0 else 64))
        name.with_suffix(".txt").write_text(f"a red circle number {number}")
    (place / "album/0/no_caption.jpg").write_bytes(picture(99))
    laion = place / "laion"
    laion.mkdir()
    for number in range(3):  # the last one: every download failed
        rows = range(number * 20, number * 20 + 20) if number < 2 else ()
        with tarfile.open(laion / f"{number:05d}.tar", "w") as tar:
            for row in rows:
                known = {"key": f"{row:07d}", "aesthetic": row / 5, "exif": "{}"}
                known |= {"original_width": 600, "original_height": 400}
                if row == 7:
                    known["exif"] = json.dumps({"Image Orientation": "Rotated 90 CW"})
                parts = {"jpg": picture(row), "txt": f"a blue square {row}".encode()}
                parts["json"] = json.dumps(known).encode()
                for kind, data in parts.items():
                    info = tarfile.TarInfo(f"{row:07d}.{kind}")
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
        (laion / f"{number:05d}_stats.json").write_text(json.dumps({"successes": len(rows)}))
    return place


def test_a_dry_run_counts_and_writes_nothing(place: Path) -> None:
    done = run(
        "build_shards", "data/source=folder", "source.path=album", "folder=datasets/none",
        "filter.min_side=64", "--dry-run", folder=place,
    )  # fmt: skip
    told = [line.split(maxsplit=1) for line in done.stdout.splitlines() if line.strip()]
    assert told == [["31", "in all"], ["1", "it has no caption"], ["3", "side < 64"],
                    ["27", "remain"]]  # fmt: skip
    assert not (place / "datasets").exists()


def test_an_album_becomes_shards_and_a_stage_learns_from_them(place: Path) -> None:
    done = run(
        "build_shards", "data/source=folder", "source.path=album", "folder=datasets/album",
        "per_shard=8", folder=place,
    )  # fmt: skip
    assert "30 samples in 4 shards" in done.stdout
    assert "1 entries left out: it has no caption" in done.stdout
    for stored in ("int8", "bfloat16"):
        again = run("embed_text", "shards=datasets/album", f"stored={stored}", folder=place,
                    expect=0 if stored == "int8" else 1)  # fmt: skip
        if stored == "int8":
            assert "measured error: cosine 0.99" in again.stdout
        else:  # the cache there is of another precision: refused, not overwritten
            assert "stored (file: int8, wanted: bfloat16)" in again.stderr
    run(
        "train", *SMALL, "data=shards", "data.shards=datasets/album", "data.validation=4",
        "data.filter.min_side=64", "stage.images=48", "callbacks=default", "name=album",
        folder=place,
    )  # fmt: skip
    assert run_folder.images_seen(place / "runs/album") == 48


def test_shards_of_img2dataset_stay_as_they_are(place: Path) -> None:
    before = {p: p.read_bytes() for p in (place / "laion").iterdir()}
    done = run(
        "build_shards", "data/source=shards", "source.path=laion", "filter.min_side=256",
        "filter.fields={aesthetic: [5, null]}", folder=place,
    )  # fmt: skip
    assert "40 samples in 3 shards" in done.stdout
    told = done.stdout.splitlines()
    assert any(line.split() == ["15", "remain"] for line in told), done.stdout
    assert before == {p: p.read_bytes() for p in (place / "laion").iterdir()}
    manifest = read_manifest(place / "laion")
    assert [entry["samples"] for entry in manifest["shards"].values()] == [20, 20, 0]
    assert Collection(place / "laion").open(0).turn(7) == 6


def test_several_tasks_share_the_embedding_by_slurms_array(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = {"MIN": 5, "MAX": 6, "COUNT": 2, "STEP": 1}
    for name, value in array.items():
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", str(value))
    for task, new in ((5, 2), (6, 1), (5, 0)):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(task))
        assert f"{new} new sidecars" in run("embed_text", "shards=laion", folder=place).stdout
    files = sorted(sidecar.folder(place / "laion", "t5_nano").iterdir())
    assert [file.stem for file in files] == ["00000", "00001", "00002"]
    assert all(file.stat().st_mode & 0o044 for file in files), "colleagues can read them"


def test_shards_that_are_streamed_are_learnt_from_too(place: Path) -> None:
    """As from an object store, whose samples come in another order after a stop: it says so."""
    run("build_shards", "data/source=shards", "source.path=laion", folder=place)
    run("embed_text", "shards=laion", folder=place)
    words = ["data=remote", f"data.shards='file:{place}/laion/{{00000..00002}}.tar'"]
    words += ["data.text=laion.text/t5_nano", "data.size=16", "name=streamed", "callbacks=default"]
    done = run("train", *SMALL, *words, "stage.images=32", folder=place)
    assert "Warning" not in done.stderr
    more = run("train", *SMALL, *words, "stage.images=64", folder=place)
    assert "goes on after 32 of 64" in more.stdout and "only statistically" in more.stderr
    rows = [json.loads(row) for row in (place / "runs/streamed/metrics.jsonl").open()]
    assert rows[-1]["images"] == 64


def test_a_plan_says_disk_hours_and_a_verdict(place: Path) -> None:
    done = run("embed_text", "shards=laion", "plan=true", "seconds=0.2", "gpu=a100", folder=place)
    for said in ("40 captions", "a caption in bfloat16", "captions/s measured", "a100", "verdict"):
        assert said in done.stdout
    assert not list((place / "laion.text").glob("*/*.tmp"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("build_shards", "data/source=folder"), "source.path"),
        (("build_shards", "data/source=folder", "source.path=nowhere"), "nowhere"),
        (("build_shards", "data/source=shards", "source.path=album"), "no shards"),
        (("build_shards", "data/source=shards", "source.path=laion", "filter.min_side=900"),
         "leaves none of the 40 samples"),
        (("embed_text", "shards=laion", "text=t5_xxl"), "hf download google/t5-v1_1-xxl"),
        (("embed_text", "shards=laion", "stored=float16"), "bfloat16, float32, int8"),
        (("embed_text", "shards=laion", "task=3"), "give both, or neither"),
        (("train", "data=remote", "data.shards='pipe:touch pwned'", "data.text=x"),
         "expected one of https"),
    ],
)  # fmt: skip
def test_bad_input_gets_one_sentence(place: Path, words: tuple[str, ...], said: str) -> None:
    done = run(*words, folder=place, expect=1)
    lines = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert len(lines) == 1 and said in lines[0], done.stderr
    assert "Traceback" not in done.stderr and not (place / "pwned").exists()


def test_the_size_of_a_cache_is_weighed_against_what_a_stage_makes_of_it(place: Path) -> None:
    run("embed_text", "shards=laion", folder=place)
    run(
        "train", *SMALL, "data=shards", "data.shards=laion", "data.validation=8",
        "stage.images=32", "callbacks=default", "name=weighed", folder=place,
    )  # fmt: skip
    done = run("bench", "text", "run=runs/weighed", "figure=curve.svg", folder=place)
    rows = {line[:44].strip(): line[44:].split() for line in done.stdout.splitlines()[3:]}
    errors = {name: float(row[1].rstrip("%")) for name, row in rows.items()}
    assert errors["bf16"] < errors["int8, channel x token"] < errors["int4, channel x token"]
    assert float(rows["int8, channel x token"][0]) < float(rows["bf16"][0]) * 0.53
    assert (place / "curve.svg").read_text().startswith("<svg")


def test_the_reader_is_measured_beside_webdataset(place: Path) -> None:
    done = run(
        "bench", "data", "count=40", "per_shard=20", "width=64", "batch=10", "rounds=1",
        "shards=500", "scratch=.", folder=place,
    )  # fmt: skip
    for said in ("raw reading", "ratio", "decode", "order of 40,000 shards", "images/s."):
        assert said in done.stdout
    assert not list(place.glob("imagen_lit_bench_*"))
