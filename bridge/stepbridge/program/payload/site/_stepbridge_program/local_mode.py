"""Gives the SDK's local mode back to the endpoint: `LocalSession`, `LocalPipelineSession`, type "local".

There the SDK keeps pipelines and jobs in a dictionary and runs them itself. Here a local session holds a
client that passes everything on to the endpoint. The session stays what it is for the rest of the SDK
(`isinstance`, `local_mode`), so that `local_code` and `file://` places work; those reach the service as
absolute `file://` URIs. Rules of the SDK's own executor (no checkpoints, spot, parallelism) do not apply.
SDK v3 has the same classes at other places.
"""

import json
import os
import sys

from .imports import after_import
from .patches import replace

_SCHEME = "file://"


def install(role, notice):
    """role: of pipelines whose program names none. notice: called with a text for the user."""

    def redirect_pipelines(module):
        _redirect_pipelines(module, role, notice)
        _list_steps_in_both_shapes(module)

    for name in ("sagemaker.local.local_session", "sagemaker.core.local.local_session"):
        after_import(name, _redirect_sessions)
    for name in ("sagemaker.workflow.pipeline", "sagemaker.mlops.workflow.pipeline"):
        after_import(name, redirect_pipelines)
    for name in ("sagemaker.processing", "sagemaker.core.processing"):
        after_import(name, _keep_files_of_processors)
    after_import("sagemaker.estimator", _allow_checkpoints)
    after_import("sagemaker.mlops.local.local_pipeline_session", _redirect_session_calls)
    after_import("sagemaker.train.model_trainer", _train_at_endpoint)


def absolute_uri(uri):
    """`file://data` and `file://./data` mean a path relative to the working directory, as in the SDK."""
    path = uri[len(_SCHEME) :]
    slash = "/" if path.endswith("/") and path.strip("/") else ""
    return _SCHEME + os.path.abspath(os.path.expanduser(path)) + slash


def with_file_uris(value):
    """A request with each relative `file://` URI made absolute and each FileDataSource an S3DataSource."""
    if isinstance(value, dict):
        source = value.get("FileDataSource")
        if isinstance(source, dict) and set(value) == {"FileDataSource"}:
            return {"S3DataSource": _channel_source(source)}
        return {name: with_file_uris(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [with_file_uris(item) for item in value]
    if isinstance(value, str):
        if value.startswith(_SCHEME):
            return absolute_uri(value)
        if value.startswith('"' + _SCHEME) and value.endswith('"'):  # a hyperparameter is JSON
            return json.dumps(absolute_uri(json.loads(value)))
    return value


def _channel_source(source):
    return {
        "S3DataType": "S3Prefix",
        "S3DataDistributionType": source.get("FileDataDistributionType", "FullyReplicated"),
        "S3Uri": with_file_uris(source["FileUri"]),
    }


def _redirect_sessions(module):
    local_client = module.LocalSagemakerClient
    local_session = module.LocalSession
    initialise = local_session._initialize

    class EndpointClient(local_client):
        """The endpoint's client, for code that looks for a `LocalSagemakerClient`."""

        def __init__(self, sagemaker_session, client):
            self.sagemaker_session = sagemaker_session
            self._client = client

        def __getattribute__(self, name):
            own = object.__getattribute__(self, "__dict__")
            if name in own or name.startswith("__") or "_client" not in own:
                return object.__getattribute__(self, name)
            attribute = getattr(own["_client"], name)
            if name.startswith(("create_", "describe_")):
                return _adapted(own["_client"], name, attribute)
            return attribute

    def initialise_at_endpoint(self, boto_session, *rest, **named):
        initialise(self, boto_session, *rest, **named)
        client = self.boto_session.client("sagemaker", region_name=self._region_name)
        self.sagemaker_client = EndpointClient(self, client)
        self.sagemaker_runtime_client = self.boto_session.client(
            "sagemaker-runtime", region_name=self._region_name
        )

    def wait_instead_of_logs(self, job_name, wait=False, poll=5, *rest, **named):
        if wait:
            self.wait_for_job(job_name)

    def wait_instead_of_processing_logs(self, job_name, wait=False, poll=10):
        if wait:
            self.wait_for_processing_job(job_name)

    replace(local_session, "_initialize", initialise_at_endpoint)
    replace(local_session, "logs_for_job", wait_instead_of_logs)
    replace(local_session, "logs_for_processing_job", wait_instead_of_processing_logs)


def _adapted(client, name, call):
    """The client's call, with `file://` URIs, and with arguments by position as the SDK's own takes them."""

    def adapted(*arguments, **named):
        if arguments:
            operation = client.meta.method_to_api_mapping[name]
            required = client.meta.service_model.operation_model(operation).input_shape.required_members
            named.update(zip(required, arguments))
        return call(**with_file_uris(named))

    return adapted


def _redirect_pipelines(module, role, notice):
    pipeline_class = module.Pipeline
    create, update, start = pipeline_class.create, pipeline_class.update, pipeline_class.start

    def put(self, role_arn, description, parallelism_config):
        """Create or update: a local session may create a pipeline that exists."""
        request = self._create_args(role_arn or role, description, parallelism_config)
        if "PipelineDefinition" in request:
            definition = json.loads(request["PipelineDefinition"])
            request["PipelineDefinition"] = json.dumps(with_file_uris(definition))
        client = self.sagemaker_session.sagemaker_client
        try:
            return client.create_pipeline(**request)
        except module.ClientError as error:
            if "already exists" not in error.response["Error"]["Message"]:
                raise
        return client.update_pipeline(**request)

    def create_local(self, role_arn=None, description=None, tags=None, parallelism_config=None, **others):
        return put(self, role_arn, description, parallelism_config)

    def update_local(self, role_arn=None, description=None, parallelism_config=None, **others):
        return put(self, role_arn, description, parallelism_config)

    def create_again(self, role_arn=None, description=None, tags=None, parallelism_config=None, **others):
        """A pipeline of an earlier run is no reason to fail the next one; `upsert` sees to that itself."""
        try:
            return create(self, role_arn, description, tags, parallelism_config, **others)
        except module.ClientError as error:
            if "already exists" not in error.response["Error"]["Message"]:
                raise
        notice("Pipeline {} exists from an earlier run: create() updated it.".format(self.name))
        return update(self, role_arn, description, parallelism_config)

    def create_here(self, *arguments, **named):
        if _is_local(self):
            return create_local(self, *arguments, **named)
        in_upsert = sys._getframe(1).f_code.co_name == "upsert"
        return (create if in_upsert else create_again)(self, *arguments, **named)

    def update_here(self, *arguments, **named):
        return (update_local if _is_local(self) else update)(self, *arguments, **named)

    def start_here(self, *arguments, **named):
        if not _is_local(self):
            return start(self, *arguments, **named)
        session = self.sagemaker_session
        session.local_mode = False  # the SDK's branch for its own executor
        try:
            execution = start(self, *arguments, **named)
        finally:
            session.local_mode = True
        _wait(execution, module)  # a local start() returns when all steps have ended
        return execution

    replace(pipeline_class, "create", create_here)
    replace(pipeline_class, "update", update_here)
    replace(pipeline_class, "start", start_here)


def _list_steps_in_both_shapes(module):
    """The SDK's own executor answers with a dict, as the documentation's example expects; the service's
    execution with a list. Each takes the other's way of asking, so that one program runs on both sessions."""
    execution = getattr(module, "_PipelineExecution", None) or module.PipelineExecution
    list_steps = execution.list_steps

    class Steps(list):
        def __init__(self, execution, *arguments, **named):
            list.__init__(self, list_steps(execution, *arguments, **named))
            self._again = (execution, arguments, named)

        def __getitem__(self, key):
            if key != "PipelineExecutionSteps":
                return list.__getitem__(self, key)
            execution, arguments, named = self._again
            _wait(execution, module)  # who asks so was written for an executor that had ended by now
            return list_steps(execution, *arguments, **named)

        def get(self, key, default=None):
            return self[key] if key == "PipelineExecutionSteps" else default

    replace(execution, "list_steps", lambda self, *arguments, **named: Steps(self, *arguments, **named))


def _wait(execution, module):
    """Until the execution has ended. Failed or stopped is no error, as in the SDK's own executor."""
    try:
        execution.wait()
    except module.WaiterError:
        pass


def _redirect_session_calls(module):
    """v3's `sagemaker.mlops.local.LocalPipelineSession` keeps pipelines itself."""
    session = module.LocalPipelineSession

    def create_pipeline(self, pipeline, pipeline_description=None, **named):
        return pipeline.create(description=pipeline_description)

    def at_endpoint(name):
        return lambda self, PipelineName, **named: getattr(self.sagemaker_client, name)(
            PipelineName=PipelineName, **named
        )

    for name in ("create_pipeline", "update_pipeline"):
        replace(session, name, create_pipeline)
    for name in ("describe_pipeline", "delete_pipeline", "start_pipeline_execution"):
        replace(session, name, at_endpoint(name))


def _is_local(holder):
    return getattr(holder.sagemaker_session, "local_mode", False) is True


def _keep_files_of_processors(module):
    """`file://` inputs and outputs of local sessions stay where they are; the SDK would send them to S3."""
    processor = module.Processor
    inputs_of, outputs_of = processor._normalize_inputs, processor._normalize_outputs

    def inputs_staying(self, inputs=None, *rest, **named):
        with _Hidden(self, inputs, "input", lambda item: item.s3_input, "s3_uri"):
            return inputs_of(self, inputs, *rest, **named)

    def outputs_staying(self, outputs=None, *rest, **named):
        with _Hidden(self, outputs, "output", lambda item: item, "destination"):  # v3 keeps them itself
            return outputs_of(self, outputs, *rest, **named)

    replace(processor, "_normalize_inputs", inputs_staying)
    replace(processor, "_normalize_outputs", outputs_staying)


class _Hidden:
    """While the SDK normalises, `file://` places look like `s3://`, which it leaves alone."""

    def __init__(self, processor, items, kind, holder, attribute):
        self._attribute = attribute
        self._kept = []
        if not items or not _is_local(processor):
            return
        for position, item in enumerate(items, 1):
            place = holder(item)
            value = getattr(place, attribute, None)
            if isinstance(value, str) and value.startswith(_SCHEME):
                if getattr(item, kind + "_name", None) is None:
                    setattr(item, kind + "_name", "{}-{}".format(kind, position))
                self._kept.append((place, absolute_uri(value)))

    def __enter__(self):
        for place, uri in self._kept:
            setattr(place, self._attribute, "s3://" + uri[len(_SCHEME) :].lstrip("/"))

    def __exit__(self, *error):
        for place, uri in self._kept:
            setattr(place, self._attribute, uri)


def _allow_checkpoints(module):
    training_job = module._TrainingJob
    add = training_job._add_spot_checkpoint_args.__func__

    def add_as_in_the_cloud(cls, local_mode, estimator, train_args):
        return add(cls, False, estimator, train_args)

    replace(training_job, "_add_spot_checkpoint_args", classmethod(add_as_in_the_cloud))


def _train_at_endpoint(module):
    """v3's `Mode.LOCAL_CONTAINER` starts containers itself; the endpoint does so with a debugger in them."""
    initialise = module.ModelTrainer.model_post_init

    def initialise_for_endpoint(self, *arguments, **named):
        if self.training_mode == module.Mode.LOCAL_CONTAINER:
            self.training_mode = module.Mode.SAGEMAKER_TRAINING_JOB
        initialise(self, *arguments, **named)

    replace(module.ModelTrainer, "model_post_init", initialise_for_endpoint)
