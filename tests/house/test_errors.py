"""Errors in one form: what was found, what is allowed, what to do."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "imagen_lit"
FILES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))

TYPES = {"InputError", "RunError", "CutShort"}
VALUE = "…"  # whatever is put into a message

# What to do: an imperative at the beginning of a sentence, or a message that a value completes.
VERBS = (
    "Add|Ask|Build|Call|Check|Choose|Convert|Correct|Delete|Draw|Embed|Fetch|Give|Leave|Let|Look|"
    "Lower|Make|Move|Name|Open|Paint|Reload|Remove|Rename|Restore|Score|Send|Set|Stop|Train|Type|"
    "Write"
)
ADVICE = re.compile(rf"(?:[.…] |[.]{{3}} )(?:(?:{VERBS})\b|If .* (?:write|choose) |\+\+|…$)|^……$")


def messages(file: Path) -> Iterator[tuple[int, str]]:
    """Every literal message of an error in words, with its line."""
    for node in ast.walk(ast.parse((PACKAGE / file).read_text())):
        if not isinstance(node, ast.Call) or getattr(node.func, "id", "") not in TYPES:
            continue
        if isinstance(node.args[0], ast.Constant):
            yield node.lineno, node.args[0].value
        elif isinstance(node.args[0], ast.JoinedStr):
            parts = node.args[0].values
            yield (
                node.lineno,
                "".join(
                    getattr(part, "value", VALUE) if isinstance(part, ast.Constant) else VALUE
                    for part in parts
                ),
            )


@pytest.mark.parametrize("file", FILES, ids=str)
def test_an_error_ends_with_what_to_do(file: Path) -> None:
    for line, message in messages(file):
        assert message.endswith((".", VALUE)), f"{file}:{line}: {message!r} is not a sentence"
        assert ADVICE.search(message), f"{file}:{line}: {message!r} does not say what to do"
