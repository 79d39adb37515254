# ruff: noqa
"""Many kinds of steps: tuning, transform, lambda, callback, models, retries."""

from datetime import datetime

import sagemaker
from sagemaker import image_uris
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.lambda_helper import Lambda
from sagemaker.model import Model
from sagemaker.network import NetworkConfig
from sagemaker.pipeline import PipelineModel
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.transformer import Transformer
from sagemaker.tuner import ContinuousParameter, HyperparameterTuner, IntegerParameter
from sagemaker.workflow.callback_step import CallbackOutput, CallbackOutputTypeEnum, CallbackStep
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import (
    ConditionEquals,
    ConditionIn,
    ConditionNot,
    ConditionOr,
)
from sagemaker.workflow.execution_variables import ExecutionVariables
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import Join
from sagemaker.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parallelism_config import ParallelismConfiguration
from sagemaker.workflow.parameters import ParameterBoolean, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.pipeline_experiment_config import PipelineExperimentConfig
from sagemaker.workflow.retry import (
    SageMakerJobExceptionTypeEnum,
    SageMakerJobStepRetryPolicy,
    StepExceptionTypeEnum,
    StepRetryPolicy,
)
from sagemaker.workflow.steps import ProcessingStep, TrainingStep, TransformStep, TuningStep

session = PipelineSession()
role = sagemaker.get_execution_role()
region = session.boto_region_name
now = datetime.now().strftime("%Y%m%d%H%M")

mode = ParameterString(name="Mode", default_value="fast", enum_values=["fast", "full"])
subnet = ParameterString(name="Subnet", default_value="subnet-0123456789abcdef0")
group = ParameterString(name="SecurityGroup", default_value="sg-0123456789abcdef0")
skip = ParameterBoolean(name="SkipDeploy", default_value=False)

image = image_uris.retrieve("xgboost", region, version="1.7-1")
run_prefix = Join(
    on="/", values=["s3:/", session.default_bucket(), "runs", ExecutionVariables.PIPELINE_EXECUTION_ID]
)
network = NetworkConfig(enable_network_isolation=False, subnets=[subnet], security_group_ids=[group])
processor = ScriptProcessor(
    image_uri=image,
    command=["python3"],
    role=role,
    instance_count=1,
    instance_type="ml.m5.large",
    volume_size_in_gb=50,
    max_runtime_in_seconds=3600,
    base_job_name=f"prepare-{now}",
    env={"MODE": mode, "SKIP": skip.to_string()},
    network_config=network,
    sagemaker_session=session,
)
prepare = ProcessingStep(
    name="Prepare",
    display_name="Prepare the data",
    description="Reads the raw data and splits it.",
    step_args=processor.run(
        code="prepare.py",
        inputs=[
            ProcessingInput(
                source="s3://sagemaker-sample-files/datasets/tabular/", destination="/opt/ml/processing/input"
            )
        ],
        outputs=[
            ProcessingOutput(
                output_name="train",
                source="/opt/ml/processing/train",
                destination=Join(on="/", values=[run_prefix, "train"]),
            )
        ],
    ),
    retry_policies=[
        StepRetryPolicy(
            exception_types=[StepExceptionTypeEnum.SERVICE_FAULT, StepExceptionTypeEnum.THROTTLING],
            backoff_rate=2.0,
            interval_seconds=1,
            expire_after_mins=5,
        ),
        SageMakerJobStepRetryPolicy(
            exception_types=[SageMakerJobExceptionTypeEnum.RESOURCE_LIMIT], max_attempts=3
        ),
    ],
)

estimator = Estimator(
    image_uri=image,
    role=role,
    instance_count=1,
    instance_type="ml.m5.xlarge",
    entry_point="train.py",
    use_spot_instances=True,
    max_run=3600,
    max_wait=7200,
    output_path=run_prefix,
    hyperparameters={"mode": mode, "seed": 7},
    sagemaker_session=session,
    subnets=[subnet],
    security_group_ids=[group],
)
train_input = TrainingInput(
    s3_data=prepare.properties.ProcessingOutputConfig.Outputs["train"].S3Output.S3Uri,
    content_type="text/csv",
)
train = TrainingStep(name="Train", step_args=estimator.fit(inputs=train_input))
tuner = HyperparameterTuner(
    estimator,
    objective_metric_name="validation:auc",
    hyperparameter_ranges={"eta": ContinuousParameter(0, 1), "max_depth": IntegerParameter(1, 10)},
    max_jobs=4,
    max_parallel_jobs=2,
)
tune = TuningStep(name="Tune", step_args=tuner.fit(inputs={"train": train_input}))

first = Model(
    image_uri=image,
    model_data=train.properties.ModelArtifacts.S3ModelArtifacts,
    role=role,
    sagemaker_session=session,
)
second = Model(
    image_uri=image,
    model_data=tune.get_top_model_s3_uri(top_k=0, s3_bucket=session.default_bucket()),
    role=role,
    sagemaker_session=session,
)
create = ModelStep(name="Create", step_args=first.create(instance_type="ml.m5.large"))
both = PipelineModel(models=[first, second], role=role, sagemaker_session=session)
register = ModelStep(
    name="Register",
    step_args=both.register(
        content_types=["text/csv"],
        response_types=["text/csv"],
        inference_instances=["ml.m5.large"],
        transform_instances=["ml.m5.large"],
        model_package_group_name="variety",
    ),
    retry_policies=dict(
        register_model_retry_policies=[
            StepRetryPolicy(exception_types=[StepExceptionTypeEnum.THROTTLING], max_attempts=3)
        ]
    ),
)
transformer = Transformer(
    model_name=create.properties.ModelName,
    instance_count=1,
    instance_type="ml.m5.xlarge",
    strategy="MultiRecord",
    assemble_with="Line",
    output_path=run_prefix,
    sagemaker_session=session,
)
transform = TransformStep(
    name="Transform",
    step_args=transformer.transform(data=run_prefix, content_type="text/csv", split_type="Line"),
)
notify = LambdaStep(
    name="Notify",
    lambda_func=Lambda(
        function_name="notify",
        execution_role_arn="arn:aws:iam::123456789012:role/notify",
        s3_bucket=session.default_bucket(),
        script="prepare.py",
        handler="prepare.handler",
    ),
    inputs={
        "output": transform.properties.TransformOutput.S3OutputPath,
        "tuned": tune.properties.BestTrainingJob.TrainingJobName,
    },
    outputs=[LambdaOutput(output_name="status", output_type=LambdaOutputTypeEnum.String)],
)
approve = CallbackStep(
    name="Approve",
    sqs_queue_url="https://sqs.eu-west-1.amazonaws.com/123456789012/approvals",
    inputs={"status": notify.properties.Outputs["status"]},
    outputs=[CallbackOutput(output_name="answer", output_type=CallbackOutputTypeEnum.String)],
    depends_on=["Notify", register],
)
publish = LambdaStep(
    name="Publish",
    lambda_func=Lambda(function_arn="arn:aws:lambda:eu-west-1:123456789012:function:publish"),
)
decide = ConditionStep(
    name="Decide",
    conditions=[
        ConditionOr(
            conditions=[
                ConditionEquals(left=approve.properties.Outputs["answer"], right="yes"),
                ConditionNot(expression=ConditionIn(value=mode, in_values=["full"])),
            ]
        ),
        ConditionEquals(left=skip, right=False),
    ],
    if_steps=[publish],
    else_steps=[
        FailStep(
            name="Refused",
            error_message=Join(on=": ", values=["Refused", approve.properties.Outputs["answer"]]),
        )
    ],
)
decide_last = decide

pipeline = Pipeline(
    name="variety",
    parameters=[mode, subnet, group, skip],
    steps=[prepare, train, tune, create, transform, register, decide_last],
    sagemaker_session=session,
    pipeline_experiment_config=PipelineExperimentConfig(
        ExecutionVariables.PIPELINE_NAME,
        Join(on="-", values=["run", ExecutionVariables.PIPELINE_EXECUTION_ID]),
    ),
)
pipeline.steps.append(notify)
pipeline.steps.append(approve)
pipeline.upsert(role_arn=role, parallelism_config=ParallelismConfiguration(max_parallel_execution_steps=3))
