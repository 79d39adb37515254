"""What the service needs of the parts that run things: protocols, which those parts match by structure.

The execution floor lies below and imports nothing from here. All calls come from the endpoint's threads; all
times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct

JobKind = Literal["training", "processing", "transform", "tuning"]


class PipelineRecord(Protocol):
    """A pipeline as it was last created or updated."""

    @property
    def arn(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def display_name(self) -> str | None: ...
    @property
    def description(self) -> str | None: ...
    @property
    def definition_text(self) -> str: ...
    @property
    def role_arn(self) -> str: ...
    @property
    def parallelism(self) -> int | None: ...
    @property
    def created(self) -> float: ...
    @property
    def modified(self) -> float: ...
    @property
    def last_run(self) -> float | None: ...


class ExecutionRecord(Protocol):
    """One execution of a pipeline."""

    @property
    def arn(self) -> str: ...
    @property
    def pipeline_arn(self) -> str: ...
    @property
    def status(self) -> str:
        """In the service's words: Executing, Stopping, Stopped, Failed, Succeeded."""
        ...

    @property
    def created(self) -> float: ...
    @property
    def modified(self) -> float: ...
    @property
    def display_name(self) -> str | None: ...
    @property
    def description(self) -> str | None: ...
    @property
    def failure(self) -> str:
        """Why it failed; empty where it did not."""
        ...

    @property
    def parameters(self) -> Mapping[str, str]:
        """The values that StartPipelineExecution was given, defaults of the definition included."""
        ...

    @property
    def parallelism(self) -> int | None: ...
    @property
    def selective(self) -> Mapping[str, Any] | None:
        """SelectiveExecutionConfig as it was given."""
        ...

    @property
    def definition_text(self) -> str: ...
    @property
    def role_arn(self) -> str: ...


class Executions(Protocol):
    """Pipelines, executions, jobs. Raises the StepBridgeError family; lookups of what is not return None."""

    def create_pipeline(
        self,
        name: str,
        definition_text: str,
        *,
        display_name: str | None = None,
        description: str | None = None,
        role_arn: str,
        parallelism: int | None = None,
        tags: Sequence[Mapping[str, str]] = (),
    ) -> PipelineRecord:
        """Raises DefinitionError. The service has made sure that there is no pipeline of that name."""
        ...

    def update_pipeline(
        self,
        name: str,
        *,
        definition_text: str | None = None,
        display_name: str | None = None,
        description: str | None = None,
        role_arn: str | None = None,
        parallelism: int | None = None,
    ) -> PipelineRecord:
        """Change what is not None. Raises DefinitionError."""
        ...

    def delete_pipeline(self, name: str) -> None: ...
    def pipeline(self, name: str) -> PipelineRecord | None: ...
    def pipelines(self) -> Sequence[PipelineRecord]: ...

    def start(
        self,
        pipeline: Any,  # a PipelineRecord that this object made
        parameters: Mapping[str, str],
        *,
        display_name: str | None = None,
        description: str | None = None,
        parallelism: int | None = None,
        selective: Mapping[str, Any] | None = None,
        client_token: str | None = None,
    ) -> ExecutionRecord:
        """Start, or return the execution that was started with the same token. Raises ParameterError."""
        ...

    def stop(self, arn: str) -> None: ...
    def retry(self, arn: str, *, parallelism: int | None = None) -> object: ...
    def update_execution(self, arn: str, display_name: str | None, description: str | None) -> object: ...
    def executions(self, pipeline_name: str) -> Sequence[ExecutionRecord]: ...
    def execution(self, arn: str) -> ExecutionRecord | None: ...
    def steps(self, arn: str) -> Sequence[Mapping[str, Any]]:
        """Steps that started, in the shape of ListPipelineExecutionSteps, first started first."""
        ...

    def step_succeeded(self, token: str, outputs: Mapping[str, str]) -> str | None:
        """End the callback step that waits with this token. Its execution's ARN; None: unknown token."""
        ...

    def step_failed(self, token: str, reason: str) -> str | None: ...

    def run_job(self, kind: JobKind, request: Mapping[str, Any]) -> str:
        """Start a job outside of a pipeline from its Create* request; returns its ARN."""
        ...

    def stop_job(self, kind: JobKind, name: str) -> None: ...
    def job(self, kind: JobKind, name: str) -> Mapping[str, Any] | None:
        """The Describe* response of a job, times as epoch seconds."""
        ...

    def jobs(self, kind: JobKind) -> Sequence[Mapping[str, Any]]: ...


class Invocation(Protocol):
    """What a model's container answered; header names are in lower case."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> Iterator[bytes]: ...
    @property
    def said_by(self) -> str:
        """The container that answered: "primary", or its name in an inference pipeline."""
        ...


class Serving(Protocol):
    """Real-time endpoints. `config` is an endpoint configuration, `models` its models, both as described."""

    def create(
        self, name: str, config: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]]
    ) -> None: ...
    def update(
        self, name: str, config: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]]
    ) -> None: ...
    def delete(self, name: str) -> None: ...
    def describe(self, name: str) -> Mapping[str, Any] | None:
        """DescribeEndpoint's response."""
        ...

    def all(self) -> Sequence[Mapping[str, Any]]: ...
    def invoke(self, name: str, body: Iterator[bytes], headers: Mapping[str, str]) -> Invocation:
        """Send one request to the model; `headers` are the client's, names in lower case."""
        ...


class LogLine(Struct, frozen=True):
    time: float
    text: str


class JobLogs(Protocol):
    """Output of jobs, as CloudWatch Logs shows it. A group is `/aws/sagemaker/TrainingJobs` and the like."""

    def streams(self, group: str, prefix: str) -> Sequence[str]:
        """Names `<job>/<host>` that start with a prefix; empty for groups that are not ours."""
        ...

    def lines(self, group: str, stream: str) -> Sequence[LogLine] | None:
        """All lines so far, oldest first; None where there is no such stream."""
        ...
