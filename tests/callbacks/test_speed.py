"""The speed that is logged is what a clock and a count give, on a clock that is set by hand."""

import warnings
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from imagen_lit.basics import hardware
from imagen_lit.callbacks import speed

PEAK, FLOPS = 1e9, 2e6


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(speed.time, "perf_counter", lambda: now.seconds)
    monkeypatch.setattr(speed.hardware, "matrix_peak", lambda dtype, device, seconds: PEAK)
    return now


class Run:
    """Batches of 16 images per rank, by hand."""

    def __init__(self, clock: SimpleNamespace, world: int = 1, flops: float | None = FLOPS) -> None:
        self.clock, self.world, self.metrics = clock, world, {}
        self.callback = speed.Speed()
        self.trainer: Any = SimpleNamespace(
            precision="bf16-mixed",
            world_size=world,
            strategy=SimpleNamespace(broadcast=lambda value: value),
        )
        self.stage: Any = SimpleNamespace(
            flops=flops,
            device=torch.device("cpu"),
            images=36_000,
            images_seen=0,
            is_logged=True,
            waiting_since=0.0,
            log=lambda name, value, sync_dist=False: self.metrics.update(
                {name.removeprefix("speed/"): value}
            ),
        )
        self.callback.on_train_start(self.trainer, self.stage)

    def batch(self, waits: float, works: float, draws: float = 0) -> None:
        batch = {"position": range(16)}
        self.clock.seconds += waits
        self.callback.on_train_batch_start(self.trainer, self.stage, batch, 0)
        self.clock.seconds += works
        self.stage.images_seen += 16 * self.world
        self.callback.on_train_batch_end(self.trainer, self.stage, None, batch, 0)
        self.clock.seconds += draws  # what callbacks after this one do
        self.stage.waiting_since = self.clock.seconds


@pytest.mark.parametrize("world", [1, 4])
def test_rate_wait_share_and_hours_are_those_of_all_ranks(
    clock: SimpleNamespace, world: int
) -> None:
    run = Run(clock, world)
    for _ in range(10):
        run.batch(waits=0.1, works=0.3)
    rate = 16 * world / 0.4
    assert run.metrics["images_per_second"] == pytest.approx(rate)
    assert run.metrics["data_wait"] == pytest.approx(0.25)
    assert run.metrics["hours_left"] == pytest.approx((36_000 - 160 * world) / rate / 3600)
    assert run.metrics["share_of_peak"] == pytest.approx(rate * FLOPS / (PEAK * world))
    assert run.metrics["memory_gib"] > 0


def test_a_validation_is_not_counted_and_saving_is(clock: SimpleNamespace) -> None:
    run = Run(clock)
    run.batch(0.0, 0.4)
    clock.seconds += 500
    run.callback.on_validation_end(run.trainer, run.stage)
    run.batch(0.0, 0.4)
    assert run.metrics["images_per_second"] == pytest.approx(40)
    clock.seconds += 0.8  # between two batches something is saved
    run.batch(0.0, 0.4)
    assert run.metrics["images_per_second"] == pytest.approx(48 / 2.0)


def test_only_the_last_minute_counts(clock: SimpleNamespace) -> None:
    run = Run(clock)
    for works in [10.0] * 20 + [0.5] * 130:
        run.batch(0.0, works)
    assert run.metrics["images_per_second"] == pytest.approx(32, rel=0.1)


def test_long_waits_for_data_give_one_warning(clock: SimpleNamespace) -> None:
    with pytest.warns(UserWarning, match=r"50% of the time .* data\.workers") as record:
        run = Run(clock)
        for _ in range(200):
            run.batch(waits=0.5, works=0.5)
    assert len(record) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = Run(clock)
        for _ in range(200):
            run.batch(waits=0.1, works=0.9)


def test_without_a_count_of_flops_there_is_no_share_of_the_peak(clock: SimpleNamespace) -> None:
    run = Run(clock, flops=None)
    run.batch(0.0, 0.4)
    assert "share_of_peak" not in run.metrics and "images_per_second" in run.metrics


def test_measuring_the_hardware_leaves_random_numbers_alone() -> None:
    before = torch.random.get_rng_state()
    assert hardware.matrix_peak(torch.float32, edge=64, seconds=0.01) > 0
    assert torch.equal(before, torch.random.get_rng_state())
    before = hardware.peak_memory()
    tensor = torch.ones(32 << 18)  # 32 MiB, touched
    assert hardware.peak_memory() >= before > 0 and tensor.nbytes == 32 << 20


def test_the_time_of_other_callbacks_does_not_count_as_waiting(clock: SimpleNamespace) -> None:
    run = Run(clock)
    for _ in range(10):
        run.batch(waits=0.1, works=0.1, draws=0.8)
    run.batch(waits=0.1, works=0.1)
    assert run.metrics["data_wait"] == pytest.approx(0.1, abs=0.01)


def test_the_clock_counts_training_and_neither_validations_nor_previews(
    clock: SimpleNamespace,
) -> None:
    run = Run(clock)
    run.batch(waits=0.25, works=0.5, draws=100)
    clock.seconds += 500
    run.callback.on_validation_epoch_end(run.trainer, run.stage)
    assert float(run.metrics["clock/seconds"]) == pytest.approx(0.75)
    run.callback.on_validation_end(run.trainer, run.stage)
    run.batch(waits=0.25, works=1.0)
    assert float(run.metrics["clock/seconds"]) == pytest.approx(2.0)
    assert float(run.metrics["clock/flops"]) == 32 * FLOPS
    assert run.metrics["clock/seconds"].dtype == torch.float64


def test_a_resumed_clock_goes_on_without_the_time_between_two_starts(
    clock: SimpleNamespace,
) -> None:
    first = Run(clock)
    first.batch(waits=0.5, works=0.5)
    saved = first.callback.state_dict()
    first.batch(waits=0.5, works=0.5)  # lost by a kill, as its weights are
    clock.seconds += 86_400
    second = Run(clock)
    second.callback.load_state_dict(saved)
    second.batch(waits=0.25, works=0.5)
    assert float(second.metrics["clock/seconds"]) == pytest.approx(1.75)


def test_a_small_step_still_moves_the_clock_after_years(clock: SimpleNamespace) -> None:
    run = Run(clock)
    run.callback.load_state_dict({"trained": 1e9})
    run.batch(waits=0.0, works=0.125)
    assert float(run.metrics["clock/seconds"]) == 1e9 + 0.125
