"""What `--help` prints: what a command does, examples, and its settings with a line each.

All of it stands in `conf/`: the head of `conf/<command>.yaml` says what the command does and gives
the examples, and a setting is explained by the comment after it. The values are those that the
command line would set, so `train stage=base64 --help` is about that stage.
"""

import re
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml
from omegaconf import DictConfig, OmegaConf

from imagen_lit.cli import assets, config

# indentation, `- ` of a list, key, value, comment
LINE = re.compile(r"^( *)(- )?(?:override )?([\w@/.]+):(?: (.*?))?(?: +# (.*))?$")
HIDDEN, GROUP = "hydra", "group "
FLAGS = {
    "--cfg job": "print every setting with its value, and run nothing",
    "-m, --multirun": "one run for each combination of values: seed=0,1,2, or +sweep=<name>",
}


def summary(command: str) -> str:
    """The first sentence of what a command does."""
    first = re.match(r".*?[.:](?= |$)", " ".join(_head(command)[0]))
    return first[0].rstrip(".:") if first else ""


def render(command: str, overrides: Sequence[str]) -> str:
    """The whole text, as wide as the terminal."""
    cfg = config.compose(command, overrides, with_hydra=True)
    choices = {str(key): str(name) for key, name in cfg.hydra.runtime.choices.items()}
    choices = {key: name for key, name in choices.items() if not key.startswith(HIDDEN)}
    what, examples = _head(command)
    comments = dict(_with_parents(Path(f"{command}.yaml"), ""))
    for key, name in reversed(choices.items()):  # the stage, on which all others depend, is first
        if name != "None":
            comments |= dict(_with_parents(_file(key, name), _package(key)))
    groups = {
        f"{key}={'null' if name == 'None' else name}": _options(key, comments.get(GROUP + key))
        for key, name in choices.items()
        if "@" not in key
    }
    for key in _lists(command):  # of which Hydra does not tell what is chosen
        names = ",".join(OmegaConf.select(cfg, key, default={}))
        groups[f"{key}=[{names}]"] = _options(key, comments.get(GROUP + key))
    settings = {
        f"{key}={_value(cfg, key)}": comment
        for key, comment in comments.items()
        if not key.startswith(GROUP) and _has(cfg, key)
    }
    parts = [_wrap(" ".join(what), ""), "\n".join(["Examples:", *(f"  {e}" for e in examples)])]
    parts += [_table("Choices:", groups), _table("Settings:", settings)]
    if inner := [key for key in choices if "@" in key]:
        parts += ["\n".join(["Choices further inside:", _wrap(", ".join(inner), "  ")])]
    return "\n\n".join([*filter(None, parts), _table("Flags:", FLAGS)])


def _head(command: str) -> tuple[list[str], list[str]]:
    """The comment at the top of a root config: sentences, and the examples below them."""
    lines = (Path(assets.conf()) / f"{command}.yaml").read_text().splitlines()
    head = lines[: next((n for n, line in enumerate(lines) if not line.startswith("#")), None)]
    examples = [line[1:].strip() for line in head if line.startswith("#   ")]
    return [line[1:].strip() for line in head if not line.startswith("#   ")], examples


def _lists(command: str) -> list[str]:
    """The groups of which a root config takes several options at once."""
    root = yaml.safe_load((Path(assets.conf()) / f"{command}.yaml").read_text())
    entries = [each for each in root.get("defaults", []) if isinstance(each, dict)]
    return [key for entry in entries for key, value in entry.items() if isinstance(value, list)]


def _with_parents(file: Path, package: str) -> Iterator[tuple[str, str]]:
    """(key, comment) of a config and of the options of its own group that it extends."""
    text = (Path(assets.conf()) / file).read_text()
    for entry in (yaml.safe_load(text) or {}).get("defaults", []):
        if isinstance(entry, str) and entry != "_self_":
            yield from _with_parents(file.with_name(f"{entry}.yaml"), package)
    if header := re.search(r"^# @package (\S+)", text, flags=re.MULTILINE):
        package = "" if header[1] == "_global_" else header[1]
    yield from _comments(text, package, file.parent)


def _comments(text: str, package: str, group: Path) -> Iterator[tuple[str, str]]:
    """(dotted key, comment after it) of a YAML file of this group; a group of its defaults is
    GROUP + name."""
    above: list[tuple[int, str]] = []
    for line in text.splitlines():
        if not (match := LINE.match(line)):
            continue
        indent, dash, key, _, comment = match.groups()
        above = [(depth, name) for depth, name in above if depth < len(indent)]
        if above and above[0][1] == "defaults":
            name = key.lstrip("/") if key.startswith("/") else (group / key).as_posix()
            path = GROUP + name if dash and "- override " not in line else ""
        else:
            path = ".".join(filter(None, [package, *(name for _, name in above), key]))
        above.append((len(indent), key))
        if comment and path and not path.startswith(HIDDEN):
            yield path, comment


def _file(key: str, name: str) -> Path:
    return Path(key.partition("@")[0]) / f"{name}.yaml"


def _package(key: str) -> str:
    group, _, package = key.partition("@")
    return package or group.replace("/", ".")


def _options(key: str, comment: str | None) -> str:
    names = ", ".join(config.options(key.partition("@")[0]))
    return f"{comment}: {names}" if comment else names


def _has(cfg: DictConfig, key: str) -> bool:
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, parent) if parent else cfg
    return OmegaConf.is_dict(node) and name in node.keys()


def _value(cfg: DictConfig, key: str) -> str:
    parent, _, name = key.rpartition(".")
    node = OmegaConf.select(cfg, parent) if parent else cfg
    if OmegaConf.is_missing(node, name):
        return "???"
    value = OmegaConf.select(cfg, key, throw_on_resolution_failure=False)
    plain = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
    text: str = yaml.safe_dump(plain, default_flow_style=True, width=1000)
    return text.removesuffix("...\n").strip()


def _table(title: str, rows: dict[str, str]) -> str:
    if not rows:
        return ""
    width = min(34, max(map(len, rows)))
    return "\n".join([title, *(_row(name, text, width) for name, text in rows.items())])


def _row(name: str, text: str, width: int) -> str:
    body = _wrap(text, " " * (width + 4))
    if len(name) > width:
        return f"  {name}\n{body}"
    return f"  {name:{width}}  {body.lstrip()}"


def _wrap(text: str, indent: str) -> str:
    columns = min(100, shutil.get_terminal_size((100, 24)).columns)
    return textwrap.fill(text, columns, initial_indent=indent, subsequent_indent=indent)
