"""The console script: `imagen-lit train …` is `python -m imagen_lit.train …`, and `imagen-lit bench
data …` is `python -m imagen_lit.bench_data …`."""

import runpy
import sys
from collections.abc import Sequence

from imagen_lit.cli import assets, bootstrap

PREFIX = "imagen_lit."


def commands() -> list[str]:
    """The files at the top of the package: each is a command."""
    return sorted(path.stem for path in assets.PACKAGE.glob("*.py") if path.stem != "__init__")


def run(words: Sequence[str]) -> None:
    """Run a command in this process, as `python -m` would."""
    known = commands()
    name, *arguments = [*words] or [""]
    if arguments and f"{name}_{arguments[0]}" in known:
        name = f"{name}_{arguments.pop(0)}"
    if name not in known:
        asks = name in ("", "-h", "--help")
        problem = "" if asks else f"error: there is no command {name!r}. "
        message = f"{problem}Type imagen-lit <command> ..., with one of: {', '.join(known)}"
        if asks:
            print(message)
            return
        sys.exit(message)
    sys.argv[1:] = arguments
    runpy.run_module(PREFIX + name, run_name="__main__", alter_sys=True)


def main() -> None:
    """Entry point of the console script."""
    bootstrap.handle_interrupts()
    run(sys.argv[1:])
