"""The start of a command, before its imports, which take seconds: its clock starts here, Ctrl-C
gives a readable message, and what needs no imports is answered at once.

`imagen_lit/__init__.py` calls `begin` when Python was started as `python -m imagen_lit.<command>`.
"""

import sys
import time

from imagen_lit.cli import interrupt

STARTED_AT = time.monotonic()


def begin() -> None:
    """Handle Ctrl-C, and exit if the command line asks for help or is misspelt."""
    interrupt.handle()
    after = sys.orig_argv[sys.orig_argv.index("-m") + 1 :] if "-m" in sys.orig_argv else []
    if after[:1] and after[0].startswith("imagen_lit."):
        from imagen_lit.cli import console, early_answer  # Hydra: Ctrl-C is handled by now

        name, words = console.resolve([after[0].removeprefix("imagen_lit."), *after[1:]])
        if name in console.commands():
            early_answer.answer(name, words)
