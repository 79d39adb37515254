"""Output of jobs by name, from the runs' log files: what CloudWatch Logs shows of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .backend import LogLine

if TYPE_CHECKING:
    from stepbridge.execution.journal import Journal

GROUPS = {
    "/aws/sagemaker/TrainingJobs": "training",
    "/aws/sagemaker/ProcessingJobs": "processing",
    "/aws/sagemaker/TransformJobs": "transform",
}
_HOST = re.compile(r"^\[(algo-\d+)\] ")


class RunLogs:
    """Reads `runs/<run>/<step>/log.txt` (implements `backend.JobLogs`).

    Lines carry no time of their own: they all have that of the file's last change.
    """

    def __init__(self, journal: Journal, runs: Path) -> None:
        self._journal = journal
        self._runs = runs

    def streams(self, group: str, prefix: str) -> Sequence[str]:
        """Names `<job>/<host>` that start with a prefix; empty for groups that are not ours."""
        kind = GROUPS.get(group)
        if kind is None:
            return ()
        found = self._journal.job_places(kind, prefix.partition("/")[0])
        names = [
            f"{job}/{host}"
            for job, run, step in found
            for host in sorted(self._by_host(self._file(run, step)))
        ]
        return [name for name in names if name.startswith(prefix)]

    def lines(self, group: str, stream: str) -> Sequence[LogLine] | None:
        """All lines so far, oldest first; None where there is no such stream."""
        job, _, host = stream.partition("/")
        for name, run, step in self._journal.job_places(GROUPS.get(group, ""), job):
            if name == job:
                file = self._file(run, step)
                texts = self._by_host(file).get(host)
                return None if texts is None else [LogLine(file.stat().st_mtime, text) for text in texts]
        return None

    def _file(self, run: str, step: str) -> Path:
        return self._runs / run / step / "log.txt"

    @staticmethod
    def _by_host(file: Path) -> dict[str, list[str]]:
        """Lines by host; those of a job with one host carry no mark."""
        found: dict[str, list[str]] = {}
        if not file.is_file():
            return found
        for line in file.read_text("utf-8", "replace").splitlines():
            mark = _HOST.match(line)
            found.setdefault(mark[1] if mark else "algo-1", []).append(line[mark.end() :] if mark else line)
        return found or {"algo-1": []}
