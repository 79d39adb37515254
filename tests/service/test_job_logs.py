from __future__ import annotations

from stepbridge.execution.journal import Journal
from stepbridge.service.job_logs import RunLogs


def test_lines_of_a_job_by_host(tmp_path):
    journal = Journal(tmp_path / "history.sqlite")
    journal.save_job("training", "job-1", {"TrainingJobArn": "arn"}, "run", "Train")
    folder = tmp_path / "runs" / "run" / "Train"
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text("[algo-1] one\n[algo-2] two\n[algo-1] three\n")
    logs = RunLogs(journal, tmp_path / "runs")
    group = "/aws/sagemaker/TrainingJobs"
    assert logs.streams(group, "job-") == ["job-1/algo-1", "job-1/algo-2"]
    assert [line.text for line in logs.lines(group, "job-1/algo-1") or ()] == ["one", "three"]
    assert logs.lines(group, "job-2/algo-1") is None
    assert logs.streams("/aws/lambda/x", "") == ()
    journal.close()
