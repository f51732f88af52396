"""What a training will take: counted on the meta device, it equals a count with contents."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from imagen_lit.basics.atomic import write_json
from imagen_lit.cli import assets, config
from imagen_lit.network import doubled_conv
from imagen_lit.run import estimate, meta_device
from imagen_lit.run.estimate import Devices, Estimate
from imagen_lit.run.meta_device import TOKENS
from imagen_lit.stage.training import Stage

OPTIMIZERS = sorted(path.stem for path in Path(assets.conf(), "optimizer").glob("*.yaml"))
TINY = ["network.channels=[16,32,48]", "network.blocks=[1,1,1]", "text.width=8"]
ONE = Devices(count=1, sharded=False, micro_batch_size=7, peak=50)
SIZES = {"parameters": 10, "flops": 3_000, "images": 720_000, "batch_size": 7, "weights": 40}


def both(*words: str) -> tuple[Stage, Estimate]:
    """A stage with contents, and the estimate of one without."""
    cfg = config.compose("train", [*TINY, *words])
    with torch.device("meta"):
        empty = config.build(cfg.stage)
    edge = cfg.data.crop or cfg.data.size
    return config.build(cfg.stage), estimate.estimate(empty, 8, edge, cfg.text.width)


def loss(stage: Stage, edge: int) -> torch.Tensor:
    batch: dict[str, Any] = {
        "image": torch.zeros(1, 3, edge, edge),
        "text": torch.ones(1, TOKENS, 8),
        "mask": torch.ones(1, TOKENS, dtype=torch.bool),
        "position": torch.zeros(1, dtype=torch.int64),
    }
    return stage.loss(stage.denoiser, batch, torch.full((1,), 0.5), 0).mean()


@pytest.mark.parametrize(("stage", "edge"), [("demo_base", 16), ("demo_sr", 64)])
def test_the_work_is_what_one_image_takes(
    stage: str, edge: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, estimated = both(f"stage={stage}")
    # As the network is written: attention as products, of which torch counts nothing inside the
    # kernel that fuses them on a CPU, and a convolution after a doubling.
    monkeypatch.setattr(doubled_conv, "is_faster", lambda x: False)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        loss(full, edge).backward()
    assert estimated.flops == counter.get_total_flops() > 0
    assert estimated.parameters == sum(p.numel() for p in full.denoiser.parameters())


@pytest.mark.parametrize("option", OPTIMIZERS)
def test_memory_is_what_an_optimiser_keeps_after_a_step(option: str) -> None:
    full, estimated = both(f"optimizer={option}", "callbacks=default")
    optimizer = full.configure_optimizers()
    loss(full, 16).backward()
    optimizer.step()
    states = optimizer.state.values()
    tensors = [v for state in states for v in state.values() if torch.is_tensor(v)]
    assert estimated.optimizer == sum(v.nbytes for v in tensors) > 0


def test_peak_memory_is_what_a_chain_of_layers_must_keep() -> None:
    """Three square layers and their activation, a batch of 8: by hand."""
    width, images = 64, 8
    with torch.device("meta"):
        layers = [nn.Linear(width, width, bias=False) for _ in range(3)]
        x = torch.empty(images, width)
    with meta_device._MemoryMeter() as meter:
        y = x
        for layer in layers:
            y = layer(y).relu()  # keeps what goes in; the relu keeps what comes out
        del y
        before = meter.now
        y = x
        for layer in layers:
            y = layer(y).relu()
        assert meter.now - before == 3 * images * width * 4  # of each layer its relu's output
        y.sum().backward()
        del y
    assert meter.now == 3 * width * width * 4, "gradients stay, and nothing else"
    assert meter.peak > meter.now


def test_smaller_micro_batches_checkpointing_and_shards_need_less() -> None:
    def peak(count: int, *words: str) -> int:
        cfg = config.compose("train", [*TINY, *words])
        with torch.device("meta"):
            stage = config.build(cfg.stage)
        return meta_device.peak_bytes(stage, count, 16, cfg.text.width)

    few, many = peak(2), peak(32)
    assert few < many < 16 * few
    assert peak(32, "network.checkpointing=true") < 0.7 * many
    estimated = Estimate(**SIZES, optimizer=80)
    assert estimated.memory(1000, ONE) == 2 * 40 + 80 + 1000
    sharded = estimated.memory(1000, Devices(4, True, 7, 1000))
    assert sharded == (3 * 40 + 80) // 4 + 1000 - 40


def test_updates_of_no_images_are_refused() -> None:
    with torch.device("meta"):
        stage = config.build(config.compose("train", TINY).stage)
    with pytest.raises(
        ValueError,
        match=r"data\.batch_size=0 is not a whole number of 1 or more\. Set it to 1",
    ):
        estimate.estimate(stage, 0, 16, 8)


def test_hours_follow_a_probe_and_its_command_stands_there_before(tmp_path: Path) -> None:
    estimated = Estimate(**SIZES, optimizer=80)
    before = "\n".join(estimated.lines(4096, estimate.read_probe(tmp_path), None, ONE))
    assert "imagen_lit.bench" in before and "save=true" in before
    probe = {
        "device": "H100",
        "images_per_second": 100.0,
        "batch_size": 7,
        "flops": estimated.flops,
    }
    (tmp_path / estimate.PROBE).write_text(json.dumps(probe))
    after = "\n".join(estimated.lines(4096, estimate.read_probe(tmp_path), None, ONE))
    assert "2.0 on one H100" in after and "before a probe" not in after
    (tmp_path / estimate.PROBE).write_text(json.dumps(probe | {"flops": estimated.flops + 1}))
    other = "\n".join(estimated.lines(4096, estimate.read_probe(tmp_path), None, ONE))
    assert "H100" not in other and "another network" in other and "imagen_lit.bench with" in other


def test_the_probe_is_given_a_micro_batch_only_where_it_is_smaller() -> None:
    estimated = Estimate(**SIZES, optimizer=80)
    few = "\n".join(estimated.lines(4096, None, None, ONE))
    assert "save=true, on that device" in few and "micro_batch_size=" not in few
    many = "\n".join(estimated.lines(4096, None, None, Devices(1, False, 2048, 2**34, (32, 99))))
    assert "save=true data.micro_batch_size=32, on that device" in many


def test_the_screen_shows_work_updates_memory_and_disk() -> None:
    screen = "\n".join(Estimate(**SIZES, optimizer=2**30).lines(4096, None, 1_000_000, ONE))
    assert "720,000 images in 102,858 updates of 7" in screen
    assert "1 image in 1 update of 7" in Estimate(**SIZES | {"images": 1}, optimizer=80).brief()
    assert "2.16 GFLOP" in screen
    assert "1.00 GiB on one device with micro-batches of 7" in screen
    devices = Devices(8, True, 2048, 2**34, (32, 2**31))
    sharded = "\n".join(Estimate(**SIZES, optimizer=2**33).lines(4096, None, None, devices))
    assert "17.00 GiB on each of 8 devices (a share" in sharded
    assert "3.00 GiB with data.micro_batch_size=32" in sharded
    assert "163.8 kB per caption" in screen and "163.8 GB for 1,000,000" in screen


def test_captions_are_counted_from_the_manifest(tmp_path: Path) -> None:
    assert estimate.count_captions(None) is None
    assert estimate.count_captions(str(tmp_path / "laion")) is None
    manifest = {"shards": {"00000": {"samples": 40}, "00001": {"samples": 2}}}
    write_json(tmp_path / "laion.meta/manifest.json", manifest)
    assert estimate.count_captions(str(tmp_path / "laion")) == 42
