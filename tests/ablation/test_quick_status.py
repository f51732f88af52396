"""A status needs no library whose import takes seconds."""

import subprocess
import sys


def test_the_command_is_there_without_torch() -> None:
    code = "import sys, imagen_lit.ablate; print([m for m in sys.modules if m in %r])"
    heavy = ("torch", "lightning", "transformers", "scipy", "matplotlib")
    done = subprocess.run(
        [sys.executable, "-c", code % (heavy,)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
