"""The votes, in one SQLite file: an answer is on the disk before it is acknowledged.

WAL with `synchronous=FULL` writes each commit through to the disk, so that neither a killed server
nor a power cut takes a vote back. A rater has one vote a step; the same step again replaces it.
"""

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from imagen_lit.basics.errors import InputError
from imagen_lit.rating.rater_order import Step
from imagen_lit.rating.trial import Trial, from_json, to_json

TOKEN_BYTES = 16  # 128 bits: no link can be guessed
TABLES = """
    CREATE TABLE study (facts TEXT NOT NULL, trials TEXT NOT NULL, owner TEXT NOT NULL);
    CREATE TABLE rater (number INTEGER PRIMARY KEY, token TEXT NOT NULL UNIQUE);
    CREATE TABLE vote (
        rater INTEGER NOT NULL REFERENCES rater,
        step INTEGER NOT NULL,
        trial INTEGER NOT NULL,
        question INTEGER NOT NULL,
        places TEXT NOT NULL,
        answer INTEGER NOT NULL,
        seconds REAL,
        time TEXT NOT NULL,
        PRIMARY KEY (rater, step)
    );
"""


@dataclass(frozen=True)
class Vote:
    """A rater's answer, by its number, to a question about the sets in these places."""

    rater: int
    trial: int
    question: int
    places: tuple[int, ...]
    answer: int
    seconds: float | None
    time: str


class Database:
    """One study: its facts and trials, its raters' tokens, and their votes."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lock = threading.Lock()
        self._connection = _open(file)

    def begin(self, facts: Mapping[str, Any], trials: Sequence[Trial]) -> None:
        """Write down what the study is, as long as nobody has voted; the links stay."""
        with self._writing() as connection:
            owner = connection.execute("SELECT owner FROM study").fetchone() or [_token()]
            connection.execute("DELETE FROM study")
            connection.execute(
                "INSERT INTO study VALUES (?, ?, ?)",
                (json.dumps(facts), json.dumps([*map(to_json, trials)]), owner[0]),
            )

    @property
    def has_votes(self) -> bool:
        """Whether anybody has answered anything."""
        return bool(self._rows("SELECT 1 FROM vote LIMIT 1"))

    @property
    def facts(self) -> dict[str, Any]:
        """What `begin` was given."""
        return json.loads(self._rows("SELECT facts FROM study")[0][0])

    @property
    def trials(self) -> list[Trial]:
        """What `begin` was given."""
        return [*map(from_json, json.loads(self._rows("SELECT trials FROM study")[0][0]))]

    @property
    def owner(self) -> str:
        """The token of whoever may see the results."""
        return self._rows("SELECT owner FROM study")[0][0]

    def invite(self, raters: int) -> None:
        """Make tokens until there are so many raters; those who have one keep it."""
        with self._writing() as connection:
            (there,) = connection.execute("SELECT count(*) FROM rater").fetchone()
            for number in range(there, raters):
                connection.execute("INSERT INTO rater VALUES (?, ?)", (number, _token()))

    @property
    def tokens(self) -> list[str]:
        """Of the raters, in order."""
        return [token for (token,) in self._rows("SELECT token FROM rater ORDER BY number")]

    def rater(self, token: str) -> int | None:
        """The rater of this token."""
        rows = self._rows("SELECT number FROM rater WHERE token = ?", token)
        return rows[0][0] if rows else None

    def record(
        self, rater: int, number: int, step: Step, answer: int, seconds: float | None
    ) -> None:
        """Put an answer on the disk; when this returns, it is there."""
        values = (rater, number, step.trial, step.question, json.dumps(step.places), answer)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO vote VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, seconds, now),
            )

    def take_back(self, rater: int, number: int) -> None:
        """Remove this rater's answer to a step, if it is there."""
        with self._writing() as connection:
            connection.execute("DELETE FROM vote WHERE rater = ? AND step = ?", (rater, number))

    def answers(self, rater: int) -> dict[int, int]:
        """This rater's own answers, by step."""
        return dict(self._rows("SELECT step, answer FROM vote WHERE rater = ?", rater))

    @property
    def votes(self) -> list[Vote]:
        """Every single one, by rater and step."""
        columns = "rater, trial, question, places, answer, seconds, time"
        return [
            Vote(rater, trial, question, tuple(json.loads(places)), answer, seconds, time)
            for rater, trial, question, places, answer, seconds, time in self._rows(
                f"SELECT {columns} FROM vote ORDER BY rater, step"
            )
        ]

    def close(self) -> None:
        """Fold the log of the last votes into the file."""
        self._connection.close()

    def _rows(self, query: str, *values: Any) -> list[Any]:
        with self._lock, closing(self._connection.execute(query, values)) as cursor:
            return cursor.fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._connection:  # which commits, or rolls back
            yield self._connection


def _open(file: Path) -> sqlite3.Connection:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)  # it holds the links
    connection = sqlite3.connect(file, timeout=30, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if not names:
            connection.executescript(TABLES)
        elif not {"study", "rater", "vote"} <= names:
            raise sqlite3.DatabaseError
    except sqlite3.DatabaseError as error:
        connection.close()
        raise InputError(
            f"{file} is no database of ratings. Set folder=... to another place, or move it away."
        ) from error
    return connection


def _token() -> str:
    return secrets.token_urlsafe(TOKEN_BYTES)
