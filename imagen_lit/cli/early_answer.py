"""What a command answers before its own imports, which take seconds: help, the config, and that a
flag, a key or an option does not exist, or that an evaluation lacks what it needs.

`bootstrap` calls this for `python -m imagen_lit.<command>`, and `console` for `imagen-lit
<command>`, before the command itself is imported.
"""

import sys
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser

from imagen_lit.cli import (
    assets,
    bare_words,
    command,
    config,
    evaluation_needs,
    flags,
    help_text,
    interrupt,
)


def answer(config_name: str, words: Sequence[str]) -> None:
    """Exit if the words ask for an answer or are misspelt; otherwise return."""
    with command.errors_in_words(config_name):
        words = bare_words.expand(config_name, words)
        typed = flags.parse(words)
        if typed.help or flags.is_answered_by_hydra(typed):
            with interrupt.until_unread():
                if typed.help:
                    print(help_text.render(config_name, typed.overrides))
                else:
                    sys.argv[1:] = flags.expand(words)
                    command.start_hydra(config_name, _never)
            raise SystemExit
        if typed.config_name or typed.config_path or typed.config_dir:
            return  # another config than ours: Hydra knows
        overrides = _first_point(typed.overrides) if typed.multirun else typed.overrides
        assets.register_sweeps()
        cfg = config.compose(config_name, overrides, with_hydra=True)
        command.refuse_unknown_additions(config_name, overrides, cfg.hydra.runtime.choices)
        if config_name == "evaluate" and not typed.multirun:
            evaluation_needs.refuse_lack(cfg)


def _never(cfg: object) -> None:
    raise AssertionError("Hydra only prints here")


def _first_point(overrides: Sequence[str]) -> list[str]:
    """The overrides of the first point of a sweep."""
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    return [
        f"{each.get_key_element()}={next(each.sweep_string_iterator())}"
        if each.is_sweep_override()
        else str(each.input_line)
        for each in parsed
    ]
