"""From an exception to the one line that a person reads, when the input or the machine is at fault.

`sentence` recognises a config that does not compose, a missing file, a full disk, and every
`UserError` of the package. It returns None for a bug, whose traceback must be shown.
"""

import difflib
import errno
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from yaml import YAMLError

from imagen_lit.basics import chosen_folder
from imagen_lit.basics.did_you_mean import did_you_mean
from imagen_lit.basics.errors import UserError
from imagen_lit.cli import assets, config

Keys = Callable[[], list[str]]  # every key and group of the config; called if one is unknown

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
NO_SLURM = "Could not detect .srun."  # submitit's words
# gloo's and NCCL's words when another process of the training is gone
LOST_PEER = r"gloo/transport|ncclRemoteError|Connection (?:reset|closed) by (?:remote )?peer"
LOST_PEER += r"|failed to recv, got 0 bytes"
LOADER = re.compile(r"Caught \w+ in DataLoader worker process")
EXCEPTION = r"\w[\w.]*"  # the name of an exception's class
KEY = r"(?<![\w./-])[a-z]\w*(?:\.\w+)*(?==)|(?<![\w./-])[a-z]\w*(?:\.\w+)+(?=[ ,.:;])"


def sentence(error: BaseException, keys: Keys) -> str | None:
    """The line for this exception, or None when only a traceback will do."""
    if any(_is_disk_full(link) for link in _chain(error)):
        return (
            "the disk is full. Complete files are safe; the one being written is lost. "
            "Free some space and type the same command to continue."
        )
    match error:
        case UserError():
            return _one_line(_message(error))
        case Exception() if type(error).__name__ == "OutOfMemoryError":  # torch's
            return (
                f"the device has too little memory ({_one_line(str(error).partition('. ')[0])}). "
                "Set data.micro_batch_size=16 or less, or network.checkpointing=true; "
                "the updates stay the same."
            )
        case RuntimeError() if re.search(LOST_PEER, str(error)):  # torch.distributed's
            return (
                "a process of the training was killed, perhaps because its machine ran out of "
                "memory, or lost its connection. Type the same command to continue."
            )
        case MissingConfigException():
            return _missing_option(error)
        case OverrideParseException() if re.search("[\ud800-\udfff]", error.override):
            return (
                f"cannot read {error.override!r}: its bytes are not UTF-8. Type it in a terminal "
                "that writes UTF-8, or convert the file that it comes from."
            )
        case OverrideParseException():
            return (
                f"cannot read {error.override!r}: {_one_line(error.message.splitlines()[0])}. "
                "Type key=value, with a value of spaces, commas or brackets in quotes: "
                "'key=\"a value\"'."
            )
        case InstantiationException() if error.__cause__ is not None:
            inner = sentence(error.__cause__, keys) or _refusal_of_another_library(error)
            return inner and _with_location(inner, error, keys)
        case ConfigCompositionException():
            return _composition(error, keys)
        case HydraException() | YAMLError():
            return _one_line(error)
        case MissingMandatoryValue():
            return f"{error.full_key} has no value. Set {error.full_key}=..."
        case OmegaConfBaseException():
            innermost = list(_chain(error))[-1]  # a resolver's own error, where one raised it
            if isinstance(innermost, UserError):
                return _one_line(innermost)
            text = _one_line(error.msg or error)
            return f"{error.full_key}: {text}" if error.full_key else _one_line(error)
        case ValueError() if str(error).startswith("Config group override must be"):
            return "a group cannot be null here. Choose one of its options; --help lists them."
        case ValueError() if str(error).startswith("Exceeds the limit"):  # Python's, of an int
            return "a number has thousands of digits, and none here has more than 19. Set it lower."
        case ValueError() if str(error).startswith("Only one of --"):  # Hydra's own flags
            return f"{_one_line(error)}. Show one point: leave --multirun out and set its values."
        case OSError() if error.filename is not None and (words := _obstacle(error)):
            return words
        case OSError():  # after MissingConfigException, which is an OSError too
            return _one_line(_message(error))
        case RuntimeError() if re.search(NO_SLURM, str(error)):
            return (
                "this machine has no SLURM. Type the command where sbatch works, or set "
                "hydra/launcher=joblib to run the members on this machine."
            )
    return None


def _obstacle(error: OSError) -> str:
    """What stands where a file or folder was to be opened or made; empty for another error."""
    path = Path(os.fsdecode(error.filename))
    place = path.parent if path.match(".*.tmp") else path  # it was to be renamed in its folder
    match error:
        case PermissionError():
            return (
                f"{place} cannot be read or written by you ({error.strerror}). "
                "Choose another folder, or change its permissions."
            )
        case OSError(errno=errno.EROFS):
            return f"{place} lies on a disk that can only be read. Choose another folder."
        case NotADirectoryError() | FileExistsError():
            there = chosen_folder.first_that_exists(path)
            if there is not None and not there.is_dir():
                return (
                    f"{there} is no folder, and {path} needs one there. Choose another folder, or "
                    "move that file away."
                )
        case IsADirectoryError():
            return f"{path} is a folder, where a file is needed. Name a file."
        case FileNotFoundError() if place != path or _was_to_be_made(error):
            there = chosen_folder.first_that_exists(place.parent)
            return (
                f"{place} cannot be made: {there} takes no new files or folders. Choose another "
                "folder."
            )
    return ""


def _was_to_be_made(error: OSError) -> bool:
    """Whether a folder was to be made there, rather than a file be read: Python reports both in the
    same words."""
    trace = traceback.extract_tb(error.__traceback__)
    return bool(trace) and trace[-1].name in ("mkdir", "makedirs")


def _missing_option(error: MissingConfigException) -> str:
    group, _, option = (error.missing_cfg_file or "").rpartition("/")
    if not group:
        return _one_line(str(error).splitlines()[0])
    options = error.options or config.options(group)
    plus = "+" if any(word.startswith(f"+{group}=") for word in sys.argv) else ""
    near = difflib.get_close_matches(option, options, n=1)
    in_list = next((word for word in sys.argv if re.match(rf"\+?{group}=\[", word)), None)
    if in_list is None:
        close = [f"{plus}{group}={name}" for name in near]
    else:
        close = [re.sub(rf"\b{re.escape(option)}\b", name, in_list) for name in near]
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{group!r} has no option {option!r}; {hint}it has {', '.join(options) or 'none'}"


def _composition(error: ConfigCompositionException, keys: Keys) -> str:
    text = str(error)
    unknown = re.match(r"Could not (?:override|delete from config\.) '(\S+?)'", text)
    if unknown:
        key, cause = unknown[1].partition("@")[0], error.__cause__
        if isinstance(cause, OmegaConfBaseException) and cause.full_key != key and key in keys():
            return f"there is no key {cause.full_key!r} here. Type --cfg job for all of them"
        if lack := _option_not_chosen(key):
            return lack
        near = did_you_mean(key, keys())
        add = f"; +{key}=... adds it" if "." in key and not near else ""
        return (
            f"there is no key or group {key!r} here{near}. "
            f"Type --help for the settings, --cfg job for all of them{add}"
        )
    cause = error.__cause__
    kind = re.search(r"Cannot merge DictConfig with ListConfig\s+full_key: (\S+)", str(cause))
    if kind:
        key = kind[1]
        if "object_type=list" in str(cause):
            return f"{key} is a list, and was set to settings with names. Set '{key}=[...]'"
        return f"{key} holds settings with names, and was set to a list. Set {key}.<name>=..."
    return _one_line(f"{text}: {cause}" if isinstance(cause, OmegaConfBaseException) else text)


def _option_not_chosen(key: str) -> str:
    """Why a setting of an option that is one of a list, such as metrics.kid, is not there."""
    group, _, rest = key.partition(".")
    option = rest.partition(".")[0]
    file = Path(assets.conf()) / group / f"{option}.yaml"
    head = f"# @package {group}.{option}\n"
    if not (option and file.is_file() and file.read_text().startswith(head)):
        return ""
    return (
        f"{key} is a setting of {option}, which is not among the {group}. Add it to them: "
        f"{group}=[{option}], for example."
    )


def _refusal_of_another_library(error: InstantiationException) -> str | None:
    """What Lightning, torch or transformers says of settings that it does not take; an exception
    from our own code is a bug."""
    target = re.search(r"target '([\w.]+)'", str(error))
    if target is None or target[1].startswith("imagen_lit.") or not error.__cause__:
        return None
    reason = _one_line(error.__cause__).rstrip(".")
    return f"{target[1].rpartition('.')[2]} does not take these settings: {reason}"


def _with_location(text: str, error: InstantiationException, keys: Keys) -> str:
    """With each key as the command has it, because a part of the config knows neither its place nor
    its name there. A sentence that names no key is about a file, and needs none."""
    place = re.search(r"full_key: (\S+)", str(error))
    if not place:
        return text
    parts, known = place[1].split("."), set(keys())
    above = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]

    def full(word: re.Match[str]) -> str:
        candidates = [word[0], *(f"{key}.{word[0]}" for key in above)]
        return next((key for key in candidates if key in known), word[0])

    return re.sub(KEY, full, text)


def _message(error: BaseException) -> str:
    """The message, or the class name of an error without one. A loader's worker sends an error with
    its traceback as text, of which only the end matters."""
    text = str(error).rstrip()
    if not LOADER.match(text):
        return text or type(error).__name__
    last = text.rpartition("\n")[2]
    if re.fullmatch(EXCEPTION, last):
        return last
    return re.split(f"^{EXCEPTION}: ", text, flags=re.M)[-1]


def _is_disk_full(error: BaseException) -> bool:
    full = isinstance(error, OSError) and error.errno in DISK_FULL
    return full or "No space left on device" in str(error)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _one_line(text: object) -> str:
    return " ".join(str(text).split())
