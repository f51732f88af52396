"""Laws of the checks of a machine: what is wrong is called wrong, and stops no other check."""

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from imagen_lit import gpu_check
from imagen_lit.cli import config
from imagen_lit.machine_check import (
    finding,
    group_norm_check,
    sharding_check,
    stage_checks,
    truth,
)
from imagen_lit.machine_check.finding import OK, SKIPPED, SLOW, WRONG, Finding

CPU = torch.device("cpu")


def failing(error: Exception) -> Finding:
    def check() -> Finding:
        raise error

    return finding.look("the check", check)


def test_a_check_that_fails_is_a_row_with_what_to_do() -> None:
    assert failing(torch.OutOfMemoryError("no room")).verdict == SKIPPED
    broken = failing(ZeroDivisionError("odd"))
    assert broken.verdict == WRONG and "ZeroDivisionError: odd" in broken.measured
    assert "test_machine_check" in broken.details and "JSON" in broken.advice


def test_a_missing_compiler_is_no_fault_of_the_machine() -> None:
    try:
        raise RuntimeError("backend failed") from OSError("No working C++ compiler found")
    except RuntimeError as error:
        assert failing(error).verdict == SKIPPED


@pytest.mark.parametrize(("apart", "verdict"), [(0.0, OK), (2.0, WRONG), (float("nan"), WRONG)])
def test_a_difference_beyond_its_bound_is_wrong(apart: float, verdict: str) -> None:
    assert finding.compared(apart, 1.0, "differs", "stop").verdict == verdict


def test_the_gradients_by_hand_are_those_of_autograd() -> None:
    numbers = torch.Generator().manual_seed(0)
    x, dy = (torch.randn(18, 8, 4, 4, generator=numbers, dtype=torch.float64) for _ in range(2))
    weight, bias = (torch.ones(8, dtype=torch.float64, requires_grad=True) for _ in range(2))
    F.group_norm(x, 2, weight, bias).backward(dy)
    assert weight.grad is not None and bias.grad is not None
    assert truth.difference(group_norm_check.by_hand(x, dy), [weight.grad, bias.grad]) < 1e-5


def test_a_compiler_that_loses_a_part_of_the_batch_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As that of pytorch issue 140913 did."""

    def lossy(norm: object, backend: str) -> object:
        def compiled(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
            y = F.group_norm(x.float(), x.shape[1] // 4, weight, bias)
            return torch.cat([y[:-1], y[-1:].detach()])

        return compiled

    check = group_norm_check.gradient_is_right
    assert check(CPU, group_norm_check.TINY, "eager").verdict == OK
    monkeypatch.setattr(torch, "compile", lossy)
    assert check(CPU, group_norm_check.TINY, "eager").verdict == WRONG


def test_a_stage_that_learns_otherwise_on_a_device_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = gpu_check.case("base64", is_tiny=True)
    assert stage_checks.learns_alike(case, CPU).verdict == OK
    made = iter([1.0, 1.01])
    new = stage_checks.new

    def uneven(case: stage_checks.Case) -> object:
        stage = new(case)
        for parameter in stage.denoiser.parameters():
            parameter.data *= next(made)
            break
        return stage

    monkeypatch.setattr(stage_checks, "new", uneven)
    assert stage_checks.learns_alike(case, CPU).verdict == WRONG


def test_every_check_has_a_name_of_its_own_and_can_be_chosen() -> None:
    cfg = config.compose("gpu_check", ["only=[sr256, FSDP2]"])
    names = [name for name, _ in gpu_check.checks(cfg, CPU)]
    assert len(names) == len(set(names))
    chosen = gpu_check._chosen(cfg.only, names)
    assert len(chosen) == 8 and all("sr256" in name or "FSDP2" in name for name in chosen)
    with pytest.raises(ValueError, match="names no check"):
        gpu_check._chosen(config.compose("gpu_check", ["only=[moon]"]).only, names)


@pytest.mark.parametrize("name", ["shards_alike", "half_shards_alike", "copies_alike"])
def test_several_devices_compute_what_one_does(name: str) -> None:
    finding = getattr(sharding_check, name)(CPU)
    assert finding.verdict == OK and "2 x process of the CPU" in finding.measured


def test_the_checks_of_the_real_size_measure_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_checks.hardware, "matrix_peak", lambda *_: 1.0)
    monkeypatch.setattr(stage_checks.drawing_rate, "LONGEST", 0.0)
    case = gpu_check.case("sr256", is_tiny=True)
    trained = stage_checks.trains_fast(case, CPU)
    assert trained.verdict == OK and "of the bf16 peak" in trained.measured
    assert stage_checks.draws_fast(case, CPU).verdict == SLOW, "each step takes more than 0 s"
    compared = stage_checks.compiled_is_faster(case, CPU, "eager")
    assert "eager" in compared.measured and compared.verdict in (OK, SLOW)


def test_an_image_that_is_no_number_is_wrong() -> None:
    case = gpu_check.case("base64", is_tiny=True)

    def broken() -> stage_checks.Stage:
        stage = case.make()
        for parameter in stage.parameters():
            parameter.data.fill_(float("nan"))
        return stage

    nan = stage_checks.Case(broken, case.recipe, case.edge, case.size, case.text_width, 1)
    assert stage_checks.draws_fast(nan, CPU).verdict == WRONG
    assert stage_checks.trains_fast(nan, CPU).verdict == WRONG


def test_a_check_that_fails_stops_no_other_and_fails_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(device: torch.device) -> Finding:
        raise ZeroDivisionError("odd")

    monkeypatch.setattr(gpu_check.arithmetic, "products", broken)
    file = tmp_path / "check.json"
    words = ["only=[products, noise, real]", "device=cpu", f"json={file}"]
    with pytest.raises(SystemExit) as ended:
        gpu_check.main(config.compose("gpu_check", words))
    assert ended.value.code == 1
    findings = json.loads(file.read_text())["findings"]
    assert [each["verdict"] for each in findings[:2]] == [WRONG, OK]
    assert {each["measured"] for each in findings[2:]} == {"no accelerator"}
    printed = capsys.readouterr().out
    assert "wrong    matrix products" in printed and "ZeroDivisionError: odd" in printed
