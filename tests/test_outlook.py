"""What a training will take: counted without contents, it equals what is counted with them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from imagen_lit import assets, door, outlook
from imagen_lit.data import aside
from imagen_lit.outlook import TOKENS, Devices, Outlook
from imagen_lit.stage.training import Stage

OPTIMIZERS = sorted(path.stem for path in Path(assets.conf(), "optimizer").glob("*.yaml"))
TINY = ["network.channels=[16,32,48]", "network.blocks=[1,1,1]", "text.width=8"]
ONE = Devices(number=1, shared=False, at_once=7, alive=50)
KNOWN = {"parameters": 10, "flops": 3_000, "images": 720_000, "batch_size": 7, "weights": 40}


def both(*words: str) -> tuple[Stage, Outlook]:
    """A stage with contents, and the outlook on one without."""
    cfg = door.compose("train", [*TINY, *words])
    with torch.device("meta"):
        empty = door.build(cfg.stage)
    edge = cfg.data.crop or cfg.data.size
    return door.build(cfg.stage), outlook.foresee(empty, 8, edge, cfg.text.width)


def learn(stage: Stage, edge: int) -> torch.Tensor:
    batch: dict[str, Any] = {
        "image": torch.zeros(1, 3, edge, edge),
        "text": torch.ones(1, TOKENS, 8),
        "mask": torch.ones(1, TOKENS, dtype=torch.bool),
        "position": torch.zeros(1, dtype=torch.int64),
    }
    return stage.loss(stage.denoiser, batch, torch.full((1,), 0.5), 0).mean()


@pytest.mark.parametrize(("stage", "edge"), [("demo_base", 16), ("demo_sr", 64)])
def test_the_work_is_what_one_picture_takes(stage: str, edge: int) -> None:
    full, ahead = both(f"stage={stage}")
    with FlopCounterMode(display=False) as counter:
        learn(full, edge).backward()
    assert ahead.flops == counter.get_total_flops() > 0
    assert ahead.parameters == sum(p.numel() for p in full.denoiser.parameters())


@pytest.mark.parametrize("option", OPTIMIZERS)
def test_memory_is_what_an_optimiser_keeps_after_a_step(option: str) -> None:
    full, ahead = both(f"optimizer={option}", "callbacks=default")
    optimizer = full.configure_optimizers()
    learn(full, 16).backward()
    optimizer.step()
    kept = [v for state in optimizer.state.values() for v in state.values() if torch.is_tensor(v)]
    assert ahead.optimizer == sum(v.nbytes for v in kept) > 0


def test_what_is_alive_is_what_a_chain_of_layers_must_keep() -> None:
    """Three square layers and their activation, a batch of 8: by hand."""
    width, pictures = 64, 8
    with torch.device("meta"):
        layers = [nn.Linear(width, width, bias=False) for _ in range(3)]
        x = torch.empty(pictures, width)
    with outlook._Alive() as counted:
        made = x
        for layer in layers:
            made = layer(made).relu()  # keeps what goes in; the relu keeps what comes out
        del made
        before = counted.now
        made = x
        for layer in layers:
            made = layer(made).relu()
        assert counted.now - before == 3 * pictures * width * 4  # of each layer its relu's answer
        made.sum().backward()
        del made
    assert counted.now == 3 * width * width * 4, "gradients stay, and nothing else"
    assert counted.most > counted.now


def test_fewer_pictures_recomputed_blocks_and_shared_weights_need_less() -> None:
    def of(count: int, *words: str) -> int:
        cfg = door.compose("train", [*TINY, *words])
        with torch.device("meta"):
            stage = door.build(cfg.stage)
        return outlook.alive(stage, count, 16, cfg.text.width)

    few, many = of(2), of(32)
    assert few < many < 16 * few
    again = of(32, "network.checkpointing=true")
    assert again < 0.7 * many
    ahead = Outlook(**KNOWN, optimizer=80)
    alone = ahead.memory(1000, ONE)
    assert alone == 2 * 40 + 80 + 1000
    shared = ahead.memory(1000, Devices(4, True, 7, 1000))
    assert shared == (3 * 40 + 80) // 4 + 1000 - 40


def test_updates_of_no_pictures_are_refused() -> None:
    with torch.device("meta"):
        stage = door.build(door.compose("train", TINY).stage)
    with pytest.raises(ValueError, match=r"data\.batch_size=0: expected one"):
        outlook.foresee(stage, 0, 16, 8)


def test_hours_are_said_once_the_speed_is_known_and_the_command_before(tmp_path: Path) -> None:
    ahead = Outlook(**KNOWN, optimizer=80)
    before = "\n".join(ahead.lines(4096, outlook.probe(tmp_path), None, ONE))
    assert "imagen_lit.bench" in before and "keep=true" in before
    found = {"device": "H100", "images_per_second": 100.0, "batch_size": 7, "flops": ahead.flops}
    (tmp_path / outlook.PROBE).write_text(json.dumps(found))
    after = "\n".join(ahead.lines(4096, outlook.probe(tmp_path), None, ONE))
    assert "2.0 on one H100" in after and "bench with" not in after
    (tmp_path / outlook.PROBE).write_text(json.dumps(found | {"flops": ahead.flops + 1}))
    other = "\n".join(ahead.lines(4096, outlook.probe(tmp_path), None, ONE))
    assert "H100" not in other and "other work" in other and "bench with" in other


def test_the_screen_says_work_updates_memory_and_disk() -> None:
    said = "\n".join(Outlook(**KNOWN, optimizer=2**30).lines(4096, None, 1_000_000, ONE))
    assert "102,858 updates of 7" in said and "2.16 GFLOP" in said
    assert "1.00 GiB on one device with 7 pictures at once" in said
    devices = Devices(8, True, 2048, 2**34, (32, 2**31))
    shared = "\n".join(Outlook(**KNOWN, optimizer=2**33).lines(4096, None, None, devices))
    assert "17.00 GiB on each of 8 devices (a share" in shared
    assert "3.00 GiB with data.at_once=32" in shared
    assert "163.8 kB a caption" in said and "163.8 GB for 1,000,000" in said


def test_captions_are_counted_where_their_maker_counted_them(tmp_path: Path) -> None:
    assert outlook.captions(None) is None
    assert outlook.captions(str(tmp_path / "laion")) is None
    counted = {"shards": {"00000": {"samples": 40}, "00001": {"samples": 2}}}
    with aside.aside(tmp_path / "laion.meta/manifest.json") as file:
        file.write(json.dumps(counted).encode())
    assert outlook.captions(str(tmp_path / "laion")) == 42
