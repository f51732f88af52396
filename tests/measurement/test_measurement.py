"""Laws of what bench measures, seen from cases whose answer is known."""

import time
import warnings
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from imagen_lit.cli import config
from imagen_lit.measurement import device_calls, drawing_rate, network_race, peer_networks
from imagen_lit.measurement.attention_kernels import attention_kernels
from imagen_lit.measurement.network_race import Lane, Race
from imagen_lit.measurement.peer_networks import Contestant, Shape
from imagen_lit.measurement.training_clock import WARM_UP, Clock
from imagen_lit.measurement.training_report import TrainingReport

CPU = torch.device("cpu")
SHAPE = Shape(batch=2, size=8, channels=32, blocks=1, text_width=64, tokens=3)
FACTS = {
    "stage": "base",
    "parameters": 10,
    "device": "a GPU",
    "ranks": 1,
    "threads": 1,
    "precision": "32-true",
    "attention": "none",
    "compile": None,
    "batch_size": 8,
    "micro_batch_size": 8,
    "images_per_second": 50.0,
    "flops": 2,
    "matrix_peak": 200.0,
    "memory_gib": 1.0,
    "memory_of": "device",
}


def test_the_share_of_the_peak_is_that_of_all_devices() -> None:
    report = TrainingReport(**FACTS)
    assert report.share_of_peak == 0.5
    assert TrainingReport(**FACTS | {"ranks": 2}).share_of_peak == 0.25
    assert "device             a GPU, 1 thread" in [*report.lines()]


def test_what_is_not_measured_says_so() -> None:
    lines = "\n".join(TrainingReport(**FACTS, reasons={"parts": "no room"}).lines())
    assert "reads by the host  not measured" in lines and "not measured: no room" in lines


def test_waiting_for_data_is_told_from_working_on_them() -> None:
    clock, trainer = Clock(WARM_UP + 3), SimpleNamespace(is_global_zero=False, should_stop=False)
    for _ in range(WARM_UP + 5):  # the last two are observed, and not timed
        time.sleep(0.03)
        clock.on_train_batch_start()
        time.sleep(0.01)
        clock.on_train_batch_end(trainer)
    assert len(clock.ends) == WARM_UP + 3
    assert 0.03 <= clock.wait_seconds <= clock.batch_seconds - 0.01


def test_the_kind_of_attention_is_seen_in_what_is_called() -> None:
    q = torch.randn(1, 1, 8, 16)
    assert attention_kernels(lambda: q) == "none"
    assert attention_kernels(lambda: (q @ q.mT).softmax(-1) @ q) == "1 plain products"
    assert "flash" in attention_kernels(lambda: F.scaled_dot_product_attention(q, q, q))


def test_a_read_that_cuda_warns_of_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    modes = list[str]()
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", modes.append)
    with device_calls.host_reads() as places:
        for _ in range(2):
            warnings.warn("called a synchronizing CUDA operation", stacklevel=1)
        warnings.warn("something else", stacklevel=1)
    assert len(places) == 2 and __file__ in places[0]
    assert modes == ["warn", "default"]


def test_a_step_too_slow_to_be_measured_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = config.compose("bench", ["stage=demo_sr", "network.channels=[16]", "network.blocks=[1]"])
    stage, recipe = config.build(cfg.stage), config.build(cfg.recipe)
    rate = drawing_rate.steps_per_second(stage, recipe, 1, 16, cfg.text.width, CPU)
    assert rate is not None and rate > 0
    monkeypatch.setattr(drawing_rate.stopwatch, "seconds", lambda *_: 60.0)
    assert drawing_rate.steps_per_second(stage, recipe, 1, 16, cfg.text.width, CPU) is None


def linear(shape: Shape) -> Contestant:
    network = torch.nn.Linear(8, 8)
    return Contestant(network, lambda network, given: network(given.z))


def test_flops_are_those_of_one_image_forward_and_backward() -> None:
    given = peer_networks.inputs(SHAPE, CPU)
    rows = 3 * 8  # of an image; its input needs no gradient
    assert network_race.count_flops(lambda: linear(SHAPE), given) == 2 * 2 * rows * 8 * 8


def test_attention_counts_as_two_products_whatever_computes_it() -> None:
    def fused(shape: Shape) -> Contestant:
        network = torch.nn.Linear(8, 8)
        call = lambda n, g: F.scaled_dot_product_attention(n(g.z), n(g.z), n(g.z))  # noqa: E731
        return Contestant(network, call)

    def plain(shape: Shape) -> Contestant:
        network = torch.nn.Linear(8, 8)
        call = lambda n, g: (n(g.z) @ n(g.z).mT).softmax(-1) @ n(g.z)  # noqa: E731
        return Contestant(network, call)

    given = peer_networks.inputs(SHAPE, CPU)
    counts = [network_race.count_flops(lambda m=make: m(SHAPE), given) for make in (fused, plain)]
    assert counts[0] == counts[1]


def test_networks_take_turns_and_a_round_of_each_is_kept() -> None:
    race = Race([Lane(name, linear(SHAPE), "32-true", flops=1) for name in ("a", "b")], {})
    given = peer_networks.inputs(SHAPE, CPU)
    steps = [*network_race.run(race, given, rounds=2, passes=1)]
    assert steps[-1] == (6, 6) and [len(lane.rates) for lane in race.lanes] == [2, 2]
    assert race.peaks["32-true"] > 0
    assert [line.split()[0] for line in network_race.table(race)] == ["network", "a", "b", "matrix"]
