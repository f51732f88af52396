"""The console script: `imagen-lit train …` is `python -m imagen_lit.train …`, and `imagen-lit bench
data …` is `python -m imagen_lit.bench_data …`."""

import runpy
import sys
from collections.abc import Sequence

from imagen_lit.basics.did_you_mean import did_you_mean
from imagen_lit.cli import assets, interrupt

PREFIX = "imagen_lit."


def commands() -> list[str]:
    """The files at the top of the package: each is a command."""
    return sorted(path.stem for path in assets.PACKAGE.glob("*.py") if path.stem != "__init__")


def resolve(words: Sequence[str]) -> tuple[str, list[str]]:
    """The command that the words begin with, and the rest: `bench data` is `bench_data`."""
    name, *arguments = [*words] or [""]
    if arguments and f"{name}_{arguments[0]}" in commands():
        name = f"{name}_{arguments.pop(0)}"
    return name, arguments


def overview() -> str:
    """Every command with its first sentence, as a person types it."""
    from imagen_lit.cli import help_text

    rows = {name.replace("bench_", "bench "): help_text.summary(name) for name in commands()}
    width = max(map(len, rows))
    lines = [f"  {name:{width}}  {summary}" for name, summary in rows.items()]
    head = "imagen-lit <command> [key=value …], the same as python -m imagen_lit.<command>"
    return "\n".join([head, "", *lines, "", "imagen-lit <command> --help explains one."])


def run(words: Sequence[str]) -> None:
    """Run a command in this process, as `python -m` would."""
    name, arguments = resolve(words)
    if name in ("", "-h", "--help"):
        with interrupt.until_unread():
            print(overview())
        return
    if name not in commands():
        near = did_you_mean(name, commands())
        sys.exit(
            f"error: there is no command {name!r}{near}. Type imagen-lit <command> ..., with one "
            f"of: {', '.join(name.replace('bench_', 'bench ') for name in commands())}"
        )
    from imagen_lit.cli import early_answer

    sys.argv[1:] = arguments
    early_answer.answer(name, arguments)
    runpy.run_module(PREFIX + name, run_name="__main__", alter_sys=True)


def main() -> None:
    """Entry point of the console script."""
    interrupt.handle()
    run(sys.argv[1:])
