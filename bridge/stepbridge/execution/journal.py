"""The journal: what pipelines exist, what ran and how it went, in `.stepbridge/history.sqlite`.

Written before the act, so that a run can be described, resumed or reaped after its bridge died. Safe for
several threads and processes. Holds no log lines (they are files in the run's folder) and no secrets.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from stepbridge.events import RunStatus

_SCHEMA = """
CREATE TABLE IF NOT EXISTS pipelines (
    name TEXT PRIMARY KEY, arn TEXT, definition_text TEXT, display_name TEXT, description TEXT, role_arn TEXT,
    parallelism INTEGER, created REAL, modified REAL, version INTEGER, tags TEXT, last_run REAL,
    deleted INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS executions (
    run TEXT PRIMARY KEY, arn TEXT UNIQUE, pipeline TEXT, pipeline_arn TEXT, role_arn TEXT,
    definition_text TEXT, parameters TEXT, display_name TEXT,
    description TEXT, parallelism INTEGER, status TEXT, failure TEXT, started REAL, ended REAL, program TEXT,
    client_token TEXT, selective TEXT, owner INTEGER);
CREATE TABLE IF NOT EXISTS steps (
    run TEXT, name TEXT, position INTEGER, state TEXT, PRIMARY KEY (run, name));
CREATE TABLE IF NOT EXISTS jobs (
    kind TEXT, name TEXT, arn TEXT, run TEXT, step TEXT, created REAL, description TEXT,
    PRIMARY KEY (kind, name));
CREATE TABLE IF NOT EXISTS cache (
    key TEXT PRIMARY KEY, pipeline TEXT, step TEXT, created REAL, result TEXT);
CREATE INDEX IF NOT EXISTS executions_by_pipeline ON executions (pipeline, started);
CREATE INDEX IF NOT EXISTS cache_by_step ON cache (pipeline, step, created);
"""


class PipelineRecord(Struct, frozen=True):
    name: str
    arn: str
    definition_text: str
    display_name: str
    description: str
    role_arn: str
    parallelism: int | None
    created: float
    modified: float
    version: int
    tags: Sequence[Mapping[str, str]] = ()
    last_run: float | None = None


class ExecutionRecord(Struct, frozen=True):
    run: str
    arn: str
    pipeline: str  # its name
    pipeline_arn: str
    role_arn: str
    definition_text: str
    parameters: Mapping[str, str]  # as text, defaults included
    display_name: str
    description: str
    parallelism: int | None
    status: RunStatus
    failure: str
    started: float
    ended: float | None
    program: str | None
    client_token: str
    selective: Mapping[str, Any] | None
    owner: int  # process id of the bridge that runs it

    @property
    def created(self) -> float:
        return self.started

    @property
    def modified(self) -> float:
        return self.ended or self.started


_JSON_COLUMNS = {"tags", "parameters", "selective"}
_PIPELINE_COLUMNS = tuple(PipelineRecord.__struct_fields__)
_EXECUTION_COLUMNS = tuple(ExecutionRecord.__struct_fields__)


class Journal:
    """One connection a thread; every call is one transaction."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        with self._transaction() as db:
            db.executescript(_SCHEMA)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = sqlite3.connect(self._path, timeout=30, check_same_thread=False)
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=NORMAL")
            self._local.db = db
            self._connections.append(db)
        with db:
            yield db

    def close(self) -> None:
        for db in self._connections:
            db.close()
        self._connections.clear()
        self._local = threading.local()

    # pipelines

    def save_pipeline(self, record: PipelineRecord) -> None:
        values = [_to_column(name, getattr(record, name)) for name in _PIPELINE_COLUMNS]
        names, marks = ", ".join(_PIPELINE_COLUMNS), ", ".join("?" * len(values))
        with self._transaction() as db:
            db.execute(f"INSERT OR REPLACE INTO pipelines ({names}) VALUES ({marks})", values)

    def pipeline(self, name: str) -> PipelineRecord | None:
        with self._transaction() as db:
            row = db.execute("SELECT * FROM pipelines WHERE name = ? AND NOT deleted", (name,)).fetchone()
        return _pipeline(row) if row else None

    def pipelines(self) -> list[PipelineRecord]:
        with self._transaction() as db:
            rows = db.execute("SELECT * FROM pipelines WHERE NOT deleted ORDER BY created").fetchall()
        return [_pipeline(row) for row in rows]

    def delete_pipeline(self, name: str) -> None:
        with self._transaction() as db:
            db.execute("UPDATE pipelines SET deleted = 1 WHERE name = ?", (name,))

    # executions

    def save_execution(self, record: ExecutionRecord) -> None:
        values = [_to_column(name, getattr(record, name)) for name in _EXECUTION_COLUMNS]
        names, marks = ", ".join(_EXECUTION_COLUMNS), ", ".join("?" * len(values))
        with self._transaction() as db:
            db.execute(f"INSERT OR REPLACE INTO executions ({names}) VALUES ({marks})", values)

    def execution(self, run: str) -> ExecutionRecord | None:
        with self._transaction() as db:
            row = db.execute("SELECT * FROM executions WHERE run = ? OR arn = ?", (run, run)).fetchone()
        return _execution(row) if row else None

    def executions(self, pipeline: str | None = None, limit: int = -1) -> list[ExecutionRecord]:
        """Newest first."""
        where, values = ("WHERE pipeline = ?", [pipeline]) if pipeline else ("", [])
        query = f"SELECT * FROM executions {where} ORDER BY started DESC, rowid DESC LIMIT ?"
        with self._transaction() as db:
            rows = db.execute(query, (*values, limit)).fetchall()
        return [_execution(row) for row in rows]

    def save_steps(self, run: str, states: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        rows = [
            (run, name, position, msgspec.json.encode(state).decode())
            for position, (name, state) in enumerate(states)
        ]
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO steps VALUES (?, ?, ?, ?)", rows)

    def save_step(self, run: str, name: str, state: Mapping[str, Any]) -> None:
        with self._transaction() as db:
            db.execute(
                "UPDATE steps SET state = ? WHERE run = ? AND name = ?",
                (msgspec.json.encode(state).decode(), run, name),
            )

    def steps(self, run: str) -> list[dict[str, Any]]:
        with self._transaction() as db:
            rows = db.execute("SELECT state FROM steps WHERE run = ? ORDER BY position", (run,)).fetchall()
        return [msgspec.json.decode(row["state"]) for row in rows]

    # jobs

    def save_job(
        self, kind: str, name: str, description: Mapping[str, Any], run: str = "", step: str = ""
    ) -> None:
        arn = next((str(v) for k, v in description.items() if k.endswith("Arn") and k != "RoleArn"), "")
        with self._transaction() as db:
            db.execute(
                "INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, name) "
                "DO UPDATE SET description = excluded.description, arn = excluded.arn",
                (kind, name, arn, run, step, time.time(), msgspec.json.encode(description).decode()),
            )

    def job(self, kind: str, name: str) -> dict[str, Any] | None:
        """The Describe* response of a job by name or ARN."""
        with self._transaction() as db:
            row = db.execute(
                "SELECT description FROM jobs WHERE kind = ? AND (name = ? OR arn = ?)", (kind, name, name)
            ).fetchone()
        return msgspec.json.decode(row["description"]) if row else None

    def jobs(self, kind: str) -> list[dict[str, Any]]:
        with self._transaction() as db:
            rows = db.execute(
                "SELECT description FROM jobs WHERE kind = ? ORDER BY created", (kind,)
            ).fetchall()
        return [msgspec.json.decode(row["description"]) for row in rows]

    def job_places(self, kind: str, prefix: str) -> list[tuple[str, str, str]]:
        """(name, run, step) of the jobs whose names start with a prefix, oldest first."""
        with self._transaction() as db:
            rows = db.execute(
                "SELECT name, run, step FROM jobs WHERE kind = ? AND substr(name, 1, ?) = ? ORDER BY created",
                (kind, len(prefix), prefix),
            ).fetchall()
        return [(row["name"], row["run"], row["step"]) for row in rows]

    # cache of step results

    def save_cached(self, key: str, pipeline: str, step: str, result: Mapping[str, Any]) -> None:
        with self._transaction() as db:
            db.execute(
                "INSERT OR REPLACE INTO cache VALUES (?, ?, ?, ?, ?)",
                (key, pipeline, step, time.time(), msgspec.json.encode(result).decode()),
            )

    def cached(self, key: str) -> tuple[float, dict[str, Any]] | None:
        """(time it was made, result)."""
        with self._transaction() as db:
            row = db.execute("SELECT created, result FROM cache WHERE key = ?", (key,)).fetchone()
        return (row["created"], msgspec.json.decode(row["result"])) if row else None

    def forget_cached(self, key: str) -> None:
        with self._transaction() as db:
            db.execute("DELETE FROM cache WHERE key = ?", (key,))

    def forget_results(self, text: str) -> None:
        """Forget every cached result that mentions `text`: the URI of an output that is gone."""
        with self._transaction() as db:
            db.execute("DELETE FROM cache WHERE instr(result, ?)", (text,))

    def delete_run(self, run: str) -> None:
        with self._transaction() as db:
            db.execute("DELETE FROM executions WHERE run = ?", (run,))
            db.execute("DELETE FROM steps WHERE run = ?", (run,))


def _to_column(name: str, value: Any) -> Any:
    if name in _JSON_COLUMNS:
        return None if value is None else msgspec.json.encode(value).decode()
    return str(value) if isinstance(value, RunStatus) else value


def _from_row(row: sqlite3.Row, columns: Sequence[str]) -> dict[str, Any]:
    values = {name: row[name] for name in columns}
    for name in _JSON_COLUMNS & values.keys():
        values[name] = None if values[name] is None else msgspec.json.decode(values[name])
    return values


def _pipeline(row: sqlite3.Row) -> PipelineRecord:
    return PipelineRecord(**_from_row(row, _PIPELINE_COLUMNS))


def _execution(row: sqlite3.Row) -> ExecutionRecord:
    values = _from_row(row, _EXECUTION_COLUMNS)
    return ExecutionRecord(**{**values, "status": RunStatus(values["status"])})
