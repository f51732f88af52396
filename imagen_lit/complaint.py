"""A complaint: what a person is told when the input is at fault, in one sentence.

`of` reads an exception: a config that does not compose, a file that is not there, a full disk, or
an error that a room raised in words. It answers with the sentence, or with None when the exception
is a fault of ours, whose traceback must be seen.
"""

import difflib
import dis
import errno
import re
import sys
from collections.abc import Callable, Iterable, Iterator

from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException
from yaml import YAMLError

Keys = Callable[[], list[str]]  # every key and group of the config; asked only when one is unknown

FULL = (errno.ENOSPC, errno.EDQUOT)
RAISE = dis.opmap["RAISE_VARARGS"]
SUBMITIT = ("FailedJobError", "CalledProcessError", "RuntimeError")  # where a job is not taken
NO_SLURM = r"\bsbatch\b|Could not detect .srun."
LOADER = re.compile(r"Caught \w+ in DataLoader worker process")
FRAME = re.compile(r'^  File "(.+)", line .+\n +(.+)', re.MULTILINE)
KIND = r"\w[\w.]*"  # of an exception


class Complaint(Exception):
    """A sentence already found, on its way out of a job."""


def of(error: BaseException, keys: Keys) -> str | None:
    """The sentence for this exception, or None where only a traceback will do."""
    if any(_is_full(link) for link in _chain(error)):
        return (
            "the disk is full: what was finished is kept, the file in hand was not; "
            "free some space and type the same command to continue"
        )
    match error:
        case Complaint():
            return str(error)
        case Exception() if type(error).__name__ == "OutOfMemoryError":  # torch's
            return (
                f"the device has too little memory ({_line(str(error).partition('. ')[0])}): give "
                "it fewer pictures at once, data.at_once=16, or type network.checkpointing=true; "
                "the updates stay the same"
            )
        case MissingConfigException():
            return _missing_option(error)
        case OverrideParseException():
            return (
                f"cannot read {error.override!r}: {_line(error.message.splitlines()[0])}; type "
                "key=value, and put a value with blanks, commas or brackets into quotes: "
                "'key=\"a value\"'"
            )
        case InstantiationException() if error.__cause__ is not None:
            sentence = of(error.__cause__, keys)
            return sentence and sentence + _where(error)
        case ConfigCompositionException():
            return _composition(error, keys)
        case HydraException() | YAMLError():
            return _line(error)
        case MissingMandatoryValue():
            return f"{error.full_key} has no value: type {error.full_key}=..."
        case OmegaConfBaseException() if _said_by_us(error):  # by a resolver, innermost
            return _line(list(_chain(error))[-1])
        case OmegaConfBaseException():
            return (
                f"{error.full_key}: {_line(error.msg or error)}" if error.full_key else _line(error)
            )
        case OSError() | ValueError() | RuntimeError() if _said_by_us(error):
            return _line(_original(error))
        case Exception() if type(error).__name__ in SUBMITIT and re.search(NO_SLURM, str(error)):
            return (
                f"SLURM did not take the job ({_line(error)}): type it where sbatch works, or "
                "hydra/launcher=joblib to run the members on this machine"
            )
    return None


def nearest(word: str, known: Iterable[str]) -> str:
    """` (did you mean a or b?)` for a misspelt name, or nothing when none is near."""
    last = {name: name.rpartition(".")[2] for name in known}
    close = difflib.get_close_matches(word, last, n=3)
    ends = difflib.get_close_matches(word.rpartition(".")[2], last.values(), n=3, cutoff=0.8)
    close += [name for name in last if last[name] in ends and name not in close]
    return f" (did you mean {' or '.join(close[:3])}?)" if close else ""


def _missing_option(error: MissingConfigException) -> str:
    group, _, option = (error.missing_cfg_file or "").rpartition("/")
    if not group:
        return _line(str(error).splitlines()[0])
    options = error.options or []
    plus = "+" if any(word.startswith(f"+{group}=") for word in sys.argv) else ""
    close = [f"{plus}{group}={name}" for name in difflib.get_close_matches(option, options, n=1)]
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{group!r} has no option {option!r}; {hint}it has {', '.join(options) or 'none'}"


def _composition(error: ConfigCompositionException, keys: Keys) -> str:
    text = str(error)
    unknown = re.match(r"Could not (?:override|delete from config\.) '(\S+?)'", text)
    if unknown:
        key = unknown[1].partition("@")[0]
        add = f"; +{key}=... adds it" if "." in key else ""
        return (
            f"there is no key or group {key!r} here{nearest(key, keys())}; "
            f"--cfg job lists the keys, --help the groups{add}"
        )
    cause = error.__cause__
    return _line(f"{text}: {cause}" if isinstance(cause, OmegaConfBaseException) else text)


def _where(error: InstantiationException) -> str:
    key = re.search(r"full_key: (\S+)", str(error))
    return f" (while building {key[1]})" if key else ""


def _said_by_us(error: BaseException) -> bool:
    """The world's fault (a file, a right), or raised by a `raise` of this package.

    A ValueError out of torch, or out of our own `int(...)`, is a bug and no sentence.
    """
    if isinstance(error, OSError):
        return True
    if afar := _traceback_from_afar(error):
        places = FRAME.findall(afar)
        return bool(places) and "imagen_lit" in places[-1][0] and places[-1][1].startswith("raise ")
    tail = error.__traceback__
    while tail is not None and tail.tb_next is not None:
        tail = tail.tb_next
    if tail is None:
        return False
    frame = tail.tb_frame
    ours = str(frame.f_globals.get("__package__")).partition(".")[0] == "imagen_lit"
    return ours and frame.f_code.co_code[tail.tb_lasti] == RAISE


def _traceback_from_afar(error: BaseException) -> str | None:
    """An error of another process has its traceback as text: a loader's worker sends it in the
    words, a pool's as the cause."""
    if LOADER.match(str(error)):
        return str(error)
    cause = error.__cause__
    return str(cause) if type(cause).__name__ == "_RemoteTraceback" else None


def _original(error: BaseException) -> str:
    """The words, or the kind of an error that has none, also where a loader's worker sent it with
    its traceback as text."""
    text = str(error).rstrip()
    if not LOADER.match(text):
        return text or type(error).__name__
    last = text.rpartition("\n")[2]
    return last if re.fullmatch(KIND, last) else re.split(f"^{KIND}: ", text, flags=re.M)[-1]


def _is_full(error: BaseException) -> bool:
    full = isinstance(error, OSError) and error.errno in FULL
    return full or "No space left on device" in str(error)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _line(text: object) -> str:
    return " ".join(str(text).split())
