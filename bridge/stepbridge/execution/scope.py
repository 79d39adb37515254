"""What references in a definition see while a run goes on: parameters, the execution, finished steps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from stepbridge.definition.document import PipelineDefinition
from stepbridge.errors import DefinitionError, StorageError
from stepbridge.storage.objects import ObjectStore

from .journal import ExecutionRecord
from .state import StepState


class RunScope(Struct, frozen=True):
    """Implements `definition.references.Scope`."""

    definition: PipelineDefinition
    record: ExecutionRecord
    pipeline_arn: str
    parameters: Mapping[str, Any]
    steps: Mapping[str, StepState]
    store: ObjectStore

    def parameter(self, name: str) -> Any:
        return self.parameters[name]

    def execution(self, name: str) -> Any:
        start = datetime.fromtimestamp(self.record.started, UTC)
        values = {
            "StartDateTime": start,
            "CurrentDateTime": datetime.now(UTC),
            "PipelineName": self.record.pipeline,
            "PipelineArn": self.pipeline_arn,
            "PipelineExecutionId": self.record.run,
            "PipelineExecutionArn": self.record.arn,
        }
        value = values[name]
        return (
            value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            if isinstance(value, datetime)
            else value
        )

    def step(self, step_name: str) -> Mapping[str, Any] | None:
        state = self.steps.get(step_name)
        return state.properties if state else None

    def property_file(self, step: str, property_file: str) -> Any:
        declared = {item.name: item for item in self.definition.step(step).property_files}[property_file]
        uri = self.steps[step].outputs.get(declared.output_name)
        if uri is None:
            raise DefinitionError(
                f"property file {property_file}: step {step} wrote no output {declared.output_name}",
                "Declare the output on the step, under the name the property file gives.",
            )
        return self.s3_json(f"{uri.rstrip('/')}/{declared.file_path}")

    def s3_json(self, uri: str) -> Any:
        try:
            with self.store.open(uri) as stream:
                return json.load(stream)
        except (StorageError, FileNotFoundError):
            raise DefinitionError(
                f"JsonGet: there is no file {uri}", "Look at what the step's script writes, and where."
            ) from None
        except ValueError as error:
            raise DefinitionError(
                f"JsonGet: {uri} is not JSON: {error}", "Mend the script that writes it."
            ) from None
