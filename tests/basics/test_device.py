"""A device is one that the machine has, or it is refused."""

import pytest
import torch

from imagen_lit.basics.device import allow_tf32, choose


def machine(monkeypatch: pytest.MonkeyPatch, kind: str | None, count: int = 0) -> None:
    here = None if kind is None else torch.device(kind)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: here is not None)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: here)
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: count)


@pytest.mark.parametrize(("kind", "expected"), [(None, "cpu"), ("cuda", "cuda"), ("mps", "mps")])
def test_auto_is_the_accelerator_if_there_is_one(
    monkeypatch: pytest.MonkeyPatch, kind: str | None, expected: str
) -> None:
    machine(monkeypatch, kind, 1)
    assert choose("auto") == torch.device(expected)


@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:0", "cuda:1"])
def test_a_name_is_that_device(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    machine(monkeypatch, "cuda", 2)
    assert choose(name) == torch.device(name)


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps", "gpu", "", "CPU", None, 3])
def test_without_an_accelerator_only_the_cpu_is_left(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    machine(monkeypatch, None)
    with pytest.raises(ValueError, match=rf"device={name} .* Allowed are auto, cpu\. Set"):
        choose(name)


@pytest.mark.parametrize("name", ["cuda:2", "cuda:x", "cuda:-1", "mps", "cuda:01"])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    machine(monkeypatch, "cuda", 2)
    with pytest.raises(ValueError, match=r"Allowed are auto, cpu, cuda, cuda:0, cuda:1\. Set"):
        choose(name)


@pytest.mark.parametrize("allowed", [True, False])
def test_tf32_is_allowed_everywhere_or_nowhere(allowed: bool) -> None:
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    try:
        allow_tf32(allowed)
        assert (torch.get_float32_matmul_precision() == "high") is allowed
        assert torch.backends.cudnn.allow_tf32 is allowed
        assert torch.backends.cuda.matmul.allow_tf32 is allowed
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]
