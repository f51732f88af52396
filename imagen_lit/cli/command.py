"""A command: how each one is started, and what it prints when it cannot continue.

`main` turns a function of a config into a command: `python -m imagen_lit.<command>`, with the root
config `conf/<command>.yaml`, overrides, `--cfg job`, `--help`, `--dry-run` and `-m +sweep=...`. An
input error ends in one line and a non-zero exit; a bug keeps its traceback, and so does
everything under HYDRA_FULL_ERROR=1.
"""

import functools
import logging
import os
import re
import sys
import warnings
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from imagen_lit.basics.did_you_mean import did_you_mean
from imagen_lit.basics.errors import InputError, UserError
from imagen_lit.basics.printable import printable
from imagen_lit.basics.progress_line import ProgressLine, keep_lines_whole
from imagen_lit.cli import (
    assets,
    bare_words,
    config,
    flags,
    help_text,
    interrupt,
    sweep_traces,
    user_error,
)

Task = Callable[[DictConfig], Any]

FULL_ERROR = "HYDRA_FULL_ERROR"
FORMAT_WARNING = warnings.formatwarning  # Python's own


def main(config_name: str) -> Callable[[Task], Callable[..., Any]]:
    """Decorate a command's one function. Called with a config, it runs in this process."""

    def decorate(task: Task) -> Callable[..., Any]:
        @functools.wraps(task)
        def command(cfg: DictConfig | None = None) -> Any:
            return _run(task, config_name) if cfg is None else task(cfg)

        return command

    return decorate


def _run(task: Task, config_name: str) -> None:
    full_error = os.environ.get(FULL_ERROR)

    @functools.wraps(task)
    def member(cfg: DictConfig) -> Any:
        with _environment(FULL_ERROR, full_error):
            try:
                keep_lines_whole()
                silence_hints()
                job = HydraConfig.get()
                name: Any = job.job.config_name  # a command always names one
                refuse_unknown_additions(name, job.overrides.task, job.runtime.choices)
                return task(cfg)
            except Exception as error:
                if interrupt.is_unread(error):
                    interrupt.exit_unread()
                # Read it here: a joblib worker sends an exception home without its traceback.
                sentence = _in_words(error, lambda: _keys_of(cfg))
                if sentence is None:
                    raise
                if HydraConfig.get().mode == RunMode.RUN:
                    _exit(sentence)
                # The other members must continue; Hydra names the failed one when all are done.
                raise UserError(sentence) from error
            finally:
                ProgressLine.end()
                if HydraConfig.get().mode == RunMode.MULTIRUN:
                    sweep_traces.remove_member(HydraConfig.get())

    with errors_in_words(config_name):
        sys.argv[1:] = bare_words.expand(config_name, sys.argv[1:])
        typed = flags.parse(sys.argv[1:])
        if typed.help:
            print(help_text.render(config_name, typed.overrides))
            return
        sys.argv[1:] = flags.expand(sys.argv[1:])
        try:
            start_hydra(config_name, member)
        finally:
            if typed.multirun:
                sweep_traces.remove(config_name, typed.overrides)


def start_hydra(config_name: str, task: Task) -> None:
    """Let Hydra read the command line and call the task, for every member of a sweep."""
    with _environment(FULL_ERROR, "1"):  # Hydra then raises what it would print
        assets.register_sweeps()
        hydra.main(assets.conf(), config_name, version_base="1.3")(task)()


@contextmanager
def errors_in_words(config_name: str) -> Iterator[None]:
    """End the command with one line for an error of the input; a bug keeps its traceback."""
    try:
        yield
    except KeyboardInterrupt:
        interrupt.exit_interrupted()
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):  # Lightning's way to end a fit
            interrupt.exit_interrupted()
        raise
    except Exception as error:
        if interrupt.is_unread(error):
            interrupt.exit_unread()
        sentence = _in_words(error, functools.partial(_keys, config_name))
        if sentence is None:
            raise
        _exit(sentence)


def _exit(sentence: str) -> NoReturn:
    """With what a user typed or a file holds, but nothing that a terminal would obey."""
    sys.exit("\n".join(map(printable, f"error: {sentence}".split("\n"))))


def _in_words(error: BaseException, keys: user_error.Keys) -> str | None:
    return None if os.environ.get(FULL_ERROR) == "1" else user_error.sentence(error, keys)


def silence_hints() -> None:
    """Show warnings, ours as a plain sentence, but not Lightning's hints about the machine."""
    warnings.formatwarning = _format_warning
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for hint in (
        "The `srun` command is available",
        r"`isinstance\(treespec, LeafSpec\)`",
        "Total length of `list` across ranks is zero",  # data.validation=0
    ):
        warnings.filterwarnings("ignore", hint)


def _format_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    if Path(filename).is_relative_to(assets.PACKAGE):
        return f"warning: {message}\n"
    return FORMAT_WARNING(message, category, filename, lineno, line)


def refuse_unknown_additions(
    config_name: str, overrides: Sequence[str], choices: Container[str]
) -> None:
    """Refuse misspelt additions: Hydra adds a key of any name for `+name=value`, so `+sweeep=` or
    `+stagee.images=` would go unnoticed. `choices` are the groups that the config chooses from."""
    additions = {w: w[1:].partition("=")[0] for w in overrides if re.match(r"\+[^+]", w)}
    if not additions:
        return
    groups = config.groups()
    for name in additions.values():
        if name.isidentifier() and name not in choices:
            raise InputError(
                f"+{name}= names no group{did_you_mean(name, groups)}. "
                f"Choose from {', '.join(groups)}; ++{name}=... adds a plain key."
            )
    deep = {word: name for word, name in additions.items() if not name.isidentifier()}
    if not deep:
        return
    # Settings of what is added deep down do not compose without it, and name no key at the top.
    others = [word for word in overrides if "." not in word.partition("=")[0] and word not in deep]
    top_level = {*groups, *map(str, config.compose(config_name, others))}
    for name in deep.values():
        first = re.split("[./@]", name)[0]
        if first not in top_level:
            raise InputError(
                f"+{name}= adds to {first}, which is not there{did_you_mean(first, top_level)}. "
                f"++{name}=... adds it anyway."
            )


@contextmanager
def _environment(name: str, value: str | None) -> Iterator[None]:
    before = os.environ.get(name)
    _set(name, value)
    try:
        yield
    finally:
        _set(name, before)


def _set(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def _keys(config_name: str) -> list[str]:
    """Every key and group that this command line could have set."""
    valid: list[str] = []
    for word in sys.argv[1:]:  # the valid overrides decide which keys there are
        with suppress(HydraException):
            config.compose(config_name, [*valid, word])
            valid.append(word)
    groups = config.compose(config_name, valid, with_hydra=True).hydra.runtime.choices
    return [*map(str, groups), *_keys_of(config.compose(config_name, valid))]


def _keys_of(cfg: DictConfig) -> list[str]:
    return list(config.keys(OmegaConf.to_container(cfg)))
