"""The frozen suites S, M and L, which never change: each holds the smaller ones as its beginning.

Their prompts lie in frozen/ and take the abilities in turn, so that any first part is balanced. A
result names the suite, `VERSION` and the digest.
"""

import hashlib
import json
from functools import cache
from importlib import resources

from imagen_lit.basics.errors import InputError
from imagen_lit.suites.suite_prompt import SuitePrompt

VERSION = 1  # another one if a prompt had to change
FILES = {"S": ("small",), "M": ("small", "medium"), "L": ("small", "medium", "large")}
COUNTS = {"S": 100, "M": 400, "L": 2000}


def read(name: str) -> list[SuitePrompt]:
    """The prompts of S, M or L, in their order."""
    return [
        SuitePrompt(**json.loads(line)) for line in _text(check(name)).splitlines() if line.strip()
    ]


def digest(prompts: list[SuitePrompt]) -> str:
    """Sixteen hex digits that tell these prompts, in this order, from all others."""
    rows = json.dumps([prompt.row() for prompt in prompts], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(rows.encode()).hexdigest()[:16]


def check(name: str) -> str:
    """The name, if it is a suite's."""
    if name not in FILES:
        raise InputError(f"prompts.name={name} is no suite: there are S, M and L. Set it to one.")
    return name


@cache
def _text(name: str) -> str:
    folder = resources.files("imagen_lit.suites") / "frozen"
    return "".join((folder / f"{file}.jsonl").read_text(encoding="utf-8") for file in FILES[name])
