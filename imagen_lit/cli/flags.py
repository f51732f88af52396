"""The words of a command line that begin with a dash: Hydra's, and `--dry-run`, which is short for
the override `dry_run=true`.

Settings may stand before, between and after them, though Hydra reads them only before.
"""

import re
from argparse import Action, Namespace
from collections.abc import Sequence
from typing import NoReturn

from hydra._internal.utils import get_args_parser

from imagen_lit.basics.did_you_mean import did_you_mean
from imagen_lit.basics.errors import InputError

DRY_RUN = "--dry-run"
ANSWERS = ("cfg", "info", "hydra_help", "shell_completion")  # Hydra prints, and runs nothing
SHELLS = ("bash", "fish", "zsh")
COMPLETION = ("install", "uninstall", "query")  # what Hydra does for a shell


def expand(words: Sequence[str]) -> list[str]:
    """The same words with `dry_run=true` for `--dry-run`, and the settings before the flags."""
    actions = {flag: each for each in get_args_parser()._actions for flag in each.option_strings}
    settings, flags = [], []
    rest = ["dry_run=true" if word == DRY_RUN else word for word in words]
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            settings.append(word)
            continue
        flags.append(word)
        if rest and word in actions and _takes(actions[word], rest[0]):
            flags.append(rest.pop(0))
    return [*settings, *flags]


def parse(words: Sequence[str]) -> Namespace:
    """Hydra's reading of a command line; a flag that does not exist, or is not written as it must
    be, is refused."""
    parser = get_args_parser()
    known = [DRY_RUN, *(flag for action in parser._actions for flag in action.option_strings)]
    for word in words:
        flag = word.partition("=")[0]
        if word.startswith("-") and flag not in known:
            raise InputError(
                f"there is no flag {flag}{did_you_mean(flag, known)}. Type --help for what there "
                "is; settings are written without dashes, key=value."
            )
    parser.error = _refuse  # type: ignore[method-assign]
    flags = parser.parse_args(expand(words))
    if flags.package and not flags.cfg:
        raise InputError(
            f"-p {flags.package} shows a part of --cfg. Add --cfg job, or leave it out."
        )
    if flags.shell_completion:
        _check_completion(flags.overrides)
    if flags.experimental_rerun:
        raise InputError(
            f"--experimental-rerun {flags.experimental_rerun} needs a job's config.pickle, which "
            "no command here writes. Type that job's command again."
        )
    return flags


def is_answered_by_hydra(flags: Namespace) -> bool:
    """Whether Hydra only prints something, such as the config."""
    return any(getattr(flags, name) for name in ANSWERS)


def _takes(action: Action, word: str) -> bool:
    """Whether this word belongs to the flag before it."""
    if action.nargs == 0 or word.startswith("-"):
        return False
    is_setting = "=" in word or word.startswith(("~", "+"))
    return not is_setting or (action.choices is None and action.dest != "package")


def _refuse(message: str) -> NoReturn:
    found = re.sub(r"^argument (--[\w-]+)\S*:", r"the flag \1 cannot be read:", message)
    for action in get_args_parser()._actions:
        if action.choices and f"{action.option_strings[0]} " in found and "choose" not in found:
            found += f" of {', '.join(map(str, action.choices))}"
    raise InputError(f"{found}. Type --help for what there is.")


def _check_completion(settings: Sequence[str]) -> None:
    act, _, shell = settings[0].partition("=") if len(settings) == 1 else ("", "", "")
    if act not in COMPLETION or shell not in SHELLS:
        raise InputError(
            f"--shell-completion with {' '.join(settings) or 'nothing'} does nothing: it takes one "
            f"of {', '.join(COMPLETION)} for one of {', '.join(SHELLS)}. Type "
            "--shell-completion install=bash, for example."
        )
