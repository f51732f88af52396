"""What a cache will cost: the arithmetic of disk and hours, against files that were written."""

from pathlib import Path

import pytest
import torch

from imagen_lit.data import sidecar, sidecar_header
from imagen_lit.text.cache_cost import CacheCost

SETTINGS = {"captions": 1000, "distinct": 1.0, "tokens": 20.0, "width": 4096, "storage": "bfloat16"}
SETTINGS |= {"parameters": 4_631_000_000, "rate": 2.0, "share": 0.4}


@pytest.mark.parametrize("storage", ["float32", "bfloat16", "int8"])
def test_disk_is_what_files_take(tmp_path: Path, storage: str) -> None:
    rows = [torch.randn(20, 256) for _ in range(400)]
    sidecar.write(tmp_path / "0", rows, {"format": sidecar_header.FORMAT, "storage": storage})
    cost = CacheCost(**SETTINGS | {"width": 256, "storage": storage})
    assert cost.bytes_per_caption == pytest.approx((tmp_path / "0").stat().st_size / 400, rel=0.01)


def test_hours_are_the_work_over_the_speed() -> None:
    cost = CacheCost(**SETTINGS)
    flops = 1000 * 20 * 2 * 4.631e9
    assert cost.hours(989e12) == pytest.approx(flops / (0.4 * 989e12) / 3600)
    assert CacheCost(**SETTINGS | {"distinct": 0.5}).hours(1e15) == pytest.approx(
        cost.hours(1e15) / 2
    )


def test_a_cache_saves_little_for_a_small_encoder_and_pays_for_a_large_one() -> None:
    large = "\n".join(CacheCost(**SETTINGS).report("t5_xxl", "h100", 989e12, 1000))
    few = SETTINGS | {"parameters": 19_000_000}
    small = "\n".join(CacheCost(**few).report("s", "h100", 989e12, 1000))
    assert "verdict  the cache pays" in large and "163.8 kB a caption" in large
    assert "less than a twentieth" in small.split("verdict")[1]
