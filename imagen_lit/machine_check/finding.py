"""What one check of a machine found: a row of the table, whatever happened to the check."""

import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

OK, WRONG, SLOW, SKIPPED = "ok", "wrong", "slow", "skipped"


@dataclass(frozen=True)
class Finding:
    """`measured` are figures, `advice` is what to do, empty if nothing; `details` are for whoever
    reads the JSON."""

    verdict: str
    measured: str
    advice: str = ""
    check: str = ""
    details: str = ""


Check = Callable[[], Finding]


def look(name: str, check: Check) -> Finding:
    """The finding of a check; an error is one too, so that the others go on."""
    try:
        finding = check()
    except torch.OutOfMemoryError as error:
        finding = Finding(
            SKIPPED,
            "out of memory",
            "Give this size more devices (trainer=fsdp), or less work: data.micro_batch_size=1 "
            "network.checkpointing=true, or a smaller network.",
            details=str(error),
        )
    except Exception as error:
        finding = _of_error(error)
    return replace(finding, check=name)


def _of_error(error: Exception) -> Finding:
    details, words = traceback.format_exc()[-3000:], f"{type(error).__name__}: {error}"
    if _lacks_compiler(error):
        advice = "Install a C++ compiler (apt install g++), or leave compile=... out."
        return Finding(SKIPPED, "no compiler here", advice, details=details)
    advice = "Send the JSON file with an issue; it holds the whole error."
    return Finding(WRONG, words.splitlines()[0][:90], advice, details=details)


def _lacks_compiler(error: BaseException | None) -> bool:
    """Whether it says, or follows from an error that says, that torch found none."""
    while error is not None:
        if type(error).__name__ in ("InvalidCxxCompiler", "TritonMissing", "GPUTooOldForTriton"):
            return True
        if "Failed to find C compiler" in str(error) or "No working C++ compiler" in str(error):
            return True
        error = getattr(error, "inner_exception", None) or error.__cause__ or error.__context__
    return False


def table(findings: Sequence[Finding]) -> Iterator[str]:
    """A line for each, with what to do below it."""
    width = max(len(each.check) for each in findings)
    for each in findings:
        yield f"{each.verdict:8} {each.check:{width}}  {each.measured}"
        if each.advice:
            yield f"{'':8} {'':{width}}  {each.advice}"


def compared(difference: float, most: float, what: str, advice: str) -> Finding:
    """Ok where a difference is at most so large; nan is wrong."""
    words = f"{what} by {difference:.1e}, at most {most:.0e}"
    return Finding(OK, words) if difference <= most else Finding(WRONG, words, advice)
