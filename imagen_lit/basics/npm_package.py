"""Files that come as a package on npm's registry: downloaded by npm, checked, and only ever read.

The package is pinned by version and sha256. It stays the one file that it is: nothing is installed
or unpacked, so no code of it runs and no name in it becomes a path.
"""

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from imagen_lit.basics.atomic import atomic_write
from imagen_lit.basics.errors import InputError, RunError

FLAGS = [
    *("--ignore-scripts", "--loglevel=error", "--no-update-notifier", "--no-audit"),
    *("--fetch-retries=1", "--fetch-timeout=60000"),
]
LARGEST = 64 << 20  # bytes of a file in a package


@dataclass(frozen=True)
class NpmPackage:
    """A package of one version, as a file."""

    package: str
    version: str
    sha256: str

    @property
    def name(self) -> str:
        """Of the file."""
        return f"{self.package.removeprefix('@').replace('/', '-')}-{self.version}.tgz"

    def fetch(self, folder: Path) -> bool:
        """Put the file into a folder unless it is there; whether it is new."""
        if (folder / self.name).exists():
            self.check(folder)
            return False
        with tempfile.TemporaryDirectory(prefix="imagen_lit_npm_") as name:
            content = self._download(Path(name))
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise InputError(
                f"the registry's {self.package} {self.version} is not the one known here: its "
                f"sha256 is not {self.sha256}. Nothing of it was kept. Check which registry npm "
                "asks."
            )
        with atomic_write(folder / self.name) as file:
            file.write(content)
        return True

    def check(self, folder: Path) -> Path:
        """The file, which must be there and be the one that is known."""
        file = folder / self.name
        if not file.is_file():
            raise FileNotFoundError(f"There is no {file}. Fetch {self.package} first.")
        with file.open("rb") as handle:
            if hashlib.file_digest(handle, "sha256").hexdigest() != self.sha256:
                raise InputError(
                    f"{file} has another content than {self.package} {self.version}. Move it "
                    "away, then fetch it again."
                )
        return file

    def read(self, folder: Path, is_wanted: Callable[[str], bool]) -> dict[str, bytes]:
        """The wanted files by their names in the package."""
        content = {}
        with tarfile.open(self.check(folder), "r:gz") as archive:
            for member in archive:
                self._refuse_odd(member)
                name = member.name.removeprefix("package/")
                if member.isfile() and is_wanted(name):
                    source = archive.extractfile(member)
                    assert source is not None  # it is a file
                    content[name] = source.read()
        return content

    def _refuse_odd(self, member: tarfile.TarInfo) -> None:
        path = PurePosixPath(member.name)
        is_plain = member.isdir() or (member.isfile() and not member.issparse())
        if path.is_absolute() or ".." in path.parts or not is_plain or member.size > LARGEST:
            raise InputError(
                f"{self.name} holds {member.name!r}, which leads out of it, is no plain file, or "
                f"is larger than {LARGEST >> 20} MiB. Nothing of it is used. Delete the file."
            )

    def _download(self, into: Path) -> bytes:
        """The package as npm packs it."""
        if (npm := shutil.which("npm")) is None:
            raise RunError(
                f"npm is not installed, which downloads {self.package}. Add Node.js with its npm, "
                "from your system's packages (apt-get install npm) or a module of your cluster."
            )
        words = [npm, "pack", f"{self.package}@{self.version}", f"--pack-destination={into}"]
        done = subprocess.run([*words, *FLAGS], cwd=into, capture_output=True, text=True)
        files = list(into.glob("*.tgz"))
        if done.returncode == 0 and len(files) == 1:
            return files[0].read_bytes()
        marks = ("npm error ", "npm ERR! ")
        lines = [s.removeprefix(m) for s in done.stderr.splitlines() for m in marks if m in s]
        reason = next((s for s in lines if not s.startswith("code ")), "npm failed").rstrip(".")
        raise RunError(
            f"{self.package} {self.version} could not be downloaded ({reason}). Check that this "
            "machine reaches npm's registry, then type the same again."
        )
