"""The words of a command line that begin with a dash: Hydra's, and `--dry-run`, which is short for
the override `dry_run=true`."""

from argparse import Namespace
from collections.abc import Sequence

from hydra._internal.utils import get_args_parser

from imagen_lit.basics.did_you_mean import did_you_mean
from imagen_lit.basics.errors import InputError

DRY_RUN = "--dry-run"
ANSWERS = ("cfg", "info", "hydra_help", "shell_completion")  # Hydra prints, and runs nothing


def expand(words: Sequence[str]) -> list[str]:
    """The same words with `dry_run=true` for `--dry-run`."""
    return ["dry_run=true" if word == DRY_RUN else word for word in words]


def parse(words: Sequence[str]) -> Namespace:
    """Hydra's reading of a command line; a flag that does not exist is refused."""
    parser = get_args_parser()
    known = [DRY_RUN, *(flag for action in parser._actions for flag in action.option_strings)]
    for word in words:
        flag = word.partition("=")[0]
        if word.startswith("-") and flag not in known:
            raise InputError(
                f"there is no flag {flag}{did_you_mean(flag, known)}. Type --help for what there "
                "is; settings are written without dashes, key=value."
            )
    return parser.parse_args(expand(words))


def is_answered_by_hydra(flags: Namespace) -> bool:
    """Whether Hydra only prints something, such as the config."""
    return any(getattr(flags, name) for name in ANSWERS)
