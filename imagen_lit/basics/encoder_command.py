"""The command that makes a text encoder's folder, for a folder of a person's own choice.

An option of `conf/text/` names the command for its own folder, `encoders/<name>`: where `text.path`
leads elsewhere, the command must too.
"""

import re
import shlex

FOLDER = r"(?<=--local-dir )\S+|(?<=\bfolder=)\S+"  # as `hf download` and pretrain_text are told


def elsewhere(command: str | None, name: str, path: str) -> str | None:
    """The command of the option of this name, which then writes into `path`."""
    if command is None or path == f"encoders/{name}":
        return command
    folder = shlex.quote(path)
    if re.search(FOLDER, command):
        return re.sub(FOLDER, lambda _: folder, command)
    return f"{command} text.path={folder}" if "imagen_lit.pretrain_text" in command else command
