"""Pipelines built with the SageMaker SDK v2, one per family of step types.

`definitions/*.json` beside this file are what they compile to; `python tests/definition/sdk_programs.py`
writes them anew. The tests of rules read the files, so that they need no SDK; a slow test compares.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("definitions")
REGION = "us-east-1"
BUCKET = "sagemaker-us-east-1-123456789012"
ROLE = "arn:aws:iam::123456789012:role/SageMakerRole"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/train:1"


def build_all() -> dict[str, Any]:
    """Name -> definition of every program, made without a network."""
    import boto3
    from moto import mock_aws

    os.environ.update(AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b", AWS_DEFAULT_REGION=REGION)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder, mock_aws():
        previous = Path.cwd()
        os.chdir(folder)
        try:
            for name in ("script.py", "inference.py", "preprocessor.py"):
                Path(name).write_text("print('hello')\n", encoding="utf-8")
            Path("requirements.txt").write_text("numpy\n", encoding="utf-8")
            boto3.client("s3").create_bucket(Bucket=BUCKET)
            return {program.__name__: _stable(program()) for program in PROGRAMS}
        finally:
            os.chdir(previous)


def _stable(definition: str) -> Any:
    """Without the times, digests and paths that the SDK writes into names and descriptions."""
    definition = definition.replace(f"{Path(__file__).parent}{os.sep}", "").replace(
        '"__main__.', '"sdk_programs.'
    )
    definition = re.sub(r"sagemaker_requirements_\w+\.txt", "sagemaker_requirements.txt", definition)
    text = re.sub(r"\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d(-\d{3})?", "2025-01-01-00-00-00-000", definition)
    text = re.sub(r"[0-9a-f]{64}|(?<=code/)[0-9a-f]{32}", "0" * 32, text)
    return json.loads(re.sub(r"\b17\d{8}\b", "1700000000", text))


def _session() -> Any:
    import boto3
    from sagemaker.workflow.pipeline_context import PipelineSession

    return PipelineSession(boto_session=boto3.Session(region_name=REGION), default_bucket=BUCKET)


def abalone() -> str:
    """The example of the documentation: process, tune, evaluate, condition, register, create, transform."""
    from sagemaker import TrainingInput
    from sagemaker.estimator import Estimator
    from sagemaker.model import Model
    from sagemaker.model_metrics import MetricsSource, ModelMetrics
    from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
    from sagemaker.sklearn.processing import SKLearnProcessor
    from sagemaker.transformer import Transformer
    from sagemaker.workflow.condition_step import ConditionStep
    from sagemaker.workflow.conditions import ConditionLessThanOrEqualTo
    from sagemaker.workflow.fail_step import FailStep
    from sagemaker.workflow.functions import Join, JsonGet
    from sagemaker.workflow.model_step import ModelStep
    from sagemaker.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString
    from sagemaker.workflow.pipeline import Pipeline
    from sagemaker.workflow.properties import PropertyFile
    from sagemaker.workflow.steps import CacheConfig, ProcessingStep, TrainingStep, TransformStep

    session = _session()
    instance_count = ParameterInteger("ProcessingInstanceCount", default_value=1)
    instance_type = ParameterString("InstanceType", default_value="ml.m5.xlarge")
    approval = ParameterString("ModelApprovalStatus", default_value="PendingManualApproval")
    data = ParameterString("InputData", default_value=f"s3://{BUCKET}/abalone/abalone-dataset.csv")
    threshold = ParameterFloat("MseThreshold", default_value=6.0)
    cache = CacheConfig(enable_caching=True, expire_after="30d")

    processor = SKLearnProcessor(
        framework_version="1.2-1",
        instance_type=instance_type,
        instance_count=instance_count,
        role=ROLE,
        sagemaker_session=session,
    )
    process = ProcessingStep(
        "AbaloneProcess",
        step_args=processor.run(
            inputs=[ProcessingInput(source=data, destination="/opt/ml/processing/input")],
            outputs=[
                ProcessingOutput(output_name=name, source=f"/opt/ml/processing/{name}")
                for name in ("train", "validation", "test")
            ],
            code="script.py",
            arguments=["--rows", instance_count.to_string()],
        ),
        cache_config=cache,
    )
    outputs = process.properties.ProcessingOutputConfig.Outputs
    estimator = Estimator(
        image_uri=IMAGE,
        instance_type=instance_type,
        instance_count=1,
        output_path=f"s3://{BUCKET}/AbaloneTrain",
        role=ROLE,
        sagemaker_session=session,
        hyperparameters={"objective": "reg:linear", "num_round": 50, "eta": 0.2, "threads": instance_count},
    )
    train = TrainingStep(
        "AbaloneTrain",
        step_args=estimator.fit(
            inputs={
                name: TrainingInput(s3_data=outputs[name].S3Output.S3Uri, content_type="text/csv")
                for name in ("train", "validation")
            }
        ),
        cache_config=cache,
    )
    artifacts = train.properties.ModelArtifacts.S3ModelArtifacts
    evaluator = ScriptProcessor(
        image_uri=IMAGE,
        command=["python3"],
        instance_type=instance_type,
        instance_count=1,
        role=ROLE,
        sagemaker_session=session,
    )
    report = PropertyFile("EvaluationReport", output_name="evaluation", path="evaluation.json")
    evaluate = ProcessingStep(
        "AbaloneEval",
        step_args=evaluator.run(
            inputs=[
                ProcessingInput(source=artifacts, destination="/opt/ml/processing/model"),
                ProcessingInput(source=outputs["test"].S3Output.S3Uri, destination="/opt/ml/processing/test"),
            ],
            outputs=[
                ProcessingOutput(
                    output_name="evaluation",
                    source="/opt/ml/processing/evaluation",
                    destination=Join(on="/", values=["s3:/", BUCKET, "evaluation"]),
                )
            ],
            code="script.py",
        ),
        property_files=[report],
    )
    model = Model(image_uri=IMAGE, model_data=artifacts, role=ROLE, sagemaker_session=session)
    create = ModelStep(
        "AbaloneCreateModel", step_args=model.create(instance_type="ml.m5.large", accelerator_type=None)
    )
    transformer = Transformer(
        model_name=create.properties.ModelName,
        instance_type="ml.m5.xlarge",
        instance_count=1,
        output_path=f"s3://{BUCKET}/AbaloneTransform",
        sagemaker_session=session,
    )
    transform = TransformStep(
        "AbaloneTransform",
        step_args=transformer.transform(data=data, content_type="text/csv", split_type="Line"),
    )
    evaluated = evaluate.arguments["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"]
    metrics = ModelMetrics(
        model_statistics=MetricsSource(
            s3_uri=Join(on="/", values=[evaluated, "evaluation.json"]), content_type="application/json"
        )
    )
    register = ModelStep(
        "AbaloneRegisterModel",
        step_args=model.register(
            content_types=["text/csv"],
            response_types=["text/csv"],
            inference_instances=["ml.t2.medium", "ml.m5.xlarge"],
            transform_instances=["ml.m5.xlarge"],
            model_package_group_name="AbaloneModelPackageGroupName",
            approval_status=approval,
            model_metrics=metrics,
        ),
    )
    fail = FailStep(
        "AbaloneMSEFail", error_message=Join(on=" ", values=["Execution failed due to MSE >", threshold])
    )
    condition = ConditionStep(
        "AbaloneMSECond",
        conditions=[
            ConditionLessThanOrEqualTo(
                left=JsonGet(
                    step_name=evaluate.name,
                    property_file=report,
                    json_path="regression_metrics.mse.value",
                ),
                right=threshold,
            )
        ],
        if_steps=[register, create, transform],
        else_steps=[fail],
    )
    return Pipeline(
        name="AbalonePipeline",
        parameters=[instance_count, instance_type, approval, data, threshold],
        steps=[process, train, evaluate, condition],
        sagemaker_session=session,
    ).definition()


def frameworks() -> str:
    """Script mode, repacked models, tuning, retry policies, spot, VPC, custom job names."""
    from sagemaker import TrainingInput
    from sagemaker.network import NetworkConfig
    from sagemaker.processing import FrameworkProcessor, ProcessingInput, ProcessingOutput
    from sagemaker.pytorch import PyTorch, PyTorchModel
    from sagemaker.sklearn.estimator import SKLearn
    from sagemaker.tuner import ContinuousParameter, HyperparameterTuner, IntegerParameter
    from sagemaker.workflow.execution_variables import ExecutionVariables
    from sagemaker.workflow.functions import Join
    from sagemaker.workflow.model_step import ModelStep
    from sagemaker.workflow.parameters import ParameterBoolean, ParameterInteger, ParameterString
    from sagemaker.workflow.pipeline import Pipeline
    from sagemaker.workflow.retry import (
        SageMakerJobExceptionTypeEnum,
        SageMakerJobStepRetryPolicy,
        StepExceptionTypeEnum,
        StepRetryPolicy,
    )
    from sagemaker.workflow.steps import ProcessingStep, TrainingStep, TuningStep

    session = _session()
    spot = ParameterBoolean(name="UseSpot", default_value=True)
    epochs = ParameterInteger("Epochs", default_value=3)
    subnet = ParameterString("Subnet", default_value="subnet-0123456789abcdef0")
    channel = ParameterString("Channel", default_value="blue", enum_values=["blue", "green"])
    retries = [
        StepRetryPolicy([StepExceptionTypeEnum.THROTTLING], max_attempts=5, interval_seconds=10),
        SageMakerJobStepRetryPolicy([SageMakerJobExceptionTypeEnum.CAPACITY_ERROR], expire_after_mins=60),
    ]
    processor = FrameworkProcessor(
        estimator_cls=SKLearn,
        framework_version="1.2-1",
        instance_type="ml.m5.large",
        instance_count=1,
        role=ROLE,
        base_job_name="prepare",
        env={"CHANNEL": channel},
        network_config=NetworkConfig(
            enable_network_isolation=False, subnets=[subnet], security_group_ids=["sg-0123456789abcdef0"]
        ),
        sagemaker_session=session,
    )
    prepare = ProcessingStep(
        "Prepare",
        step_args=processor.run(
            code="script.py",
            source_dir=".",
            inputs=[ProcessingInput(source=f"s3://{BUCKET}/raw", destination="/opt/ml/processing/input")],
            outputs=[
                ProcessingOutput(
                    output_name="data",
                    source="/opt/ml/processing/data",
                    destination=Join(
                        on="/", values=["s3:/", BUCKET, ExecutionVariables.PIPELINE_EXECUTION_ID, "data"]
                    ),
                )
            ],
        ),
        retry_policies=retries,
    )
    estimator = PyTorch(
        entry_point="script.py",
        source_dir=".",
        framework_version="2.1",
        py_version="py310",
        instance_type="ml.g4dn.xlarge",
        instance_count=2,
        role=ROLE,
        use_spot_instances=True,
        max_run=3600,
        max_wait=7200,
        checkpoint_s3_uri=f"s3://{BUCKET}/checkpoints",
        hyperparameters={"epochs": epochs, "spot": spot, "channel": channel},
        metric_definitions=[{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
        environment={"WORKERS": "2"},
        subnets=[subnet],
        security_group_ids=["sg-0123456789abcdef0"],
        base_job_name="pytorch-train",
        sagemaker_session=session,
    )
    data = TrainingInput(s3_data=prepare.properties.ProcessingOutputConfig.Outputs["data"].S3Output.S3Uri)
    train = TrainingStep(
        "Train", step_args=estimator.fit({"training": data}), retry_policies=retries, display_name="Train it"
    )
    tuner = HyperparameterTuner(
        estimator,
        objective_metric_name="loss",
        objective_type="Minimize",
        metric_definitions=[{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
        hyperparameter_ranges={"lr": ContinuousParameter(1e-4, 0.1), "layers": IntegerParameter(1, 4)},
        max_jobs=4,
        max_parallel_jobs=2,
    )
    tune = TuningStep("Tune", step_args=tuner.fit({"training": data}))
    model = PyTorchModel(
        model_data=train.properties.ModelArtifacts.S3ModelArtifacts,
        role=ROLE,
        entry_point="inference.py",
        source_dir=".",
        framework_version="2.1",
        py_version="py310",
        sagemaker_session=session,
    )
    create = ModelStep("Deployable", step_args=model.create(instance_type="ml.c5.xlarge"))
    best = PyTorchModel(
        model_data=tune.get_top_model_s3_uri(top_k=0, s3_bucket=BUCKET),
        role=ROLE,
        entry_point="inference.py",
        framework_version="2.1",
        py_version="py310",
        sagemaker_session=session,
    )
    register = ModelStep(
        "Best",
        step_args=best.register(
            content_types=["application/json"],
            response_types=["application/json"],
            inference_instances=["ml.c5.xlarge"],
            model_package_group_name="best-models",
            customer_metadata_properties={"owner": "team"},
            domain="MACHINE_LEARNING",
            description="the best one",
        ),
        depends_on=[train],
    )
    return Pipeline(
        name="Frameworks",
        parameters=[spot, epochs, subnet, channel],
        steps=[prepare, train, tune, create, register],
        pipeline_experiment_config=None,
        sagemaker_session=session,
    ).definition()


def classic() -> str:
    """The old step API: estimator=, processor=, CreateModelStep, RegisterModel, nested conditions."""
    from sagemaker.estimator import Estimator
    from sagemaker.inputs import CreateModelInput, TrainingInput, TransformInput
    from sagemaker.model import Model
    from sagemaker.processing import ProcessingInput, ProcessingOutput
    from sagemaker.sklearn.processing import SKLearnProcessor
    from sagemaker.transformer import Transformer
    from sagemaker.tuner import ContinuousParameter, HyperparameterTuner
    from sagemaker.workflow.condition_step import ConditionStep
    from sagemaker.workflow.conditions import (
        ConditionEquals,
        ConditionGreaterThan,
        ConditionIn,
        ConditionNot,
        ConditionOr,
    )
    from sagemaker.workflow.execution_variables import ExecutionVariables
    from sagemaker.workflow.parameters import ParameterBoolean, ParameterInteger, ParameterString
    from sagemaker.workflow.pipeline import Pipeline
    from sagemaker.workflow.step_collections import RegisterModel
    from sagemaker.workflow.steps import (
        CreateModelStep,
        ProcessingStep,
        TrainingStep,
        TransformStep,
        TuningStep,
    )

    session = _session()
    mode = ParameterString("Mode", default_value="full")
    deploy = ParameterBoolean(name="Deploy", default_value=False)
    limit = ParameterInteger("Limit")
    processor = SKLearnProcessor("0.23-1", ROLE, 1, "ml.m5.xlarge", sagemaker_session=session)
    prepare = ProcessingStep(
        "Prepare",
        processor=processor,
        inputs=[ProcessingInput(source=f"s3://{BUCKET}/in", destination="/opt/ml/processing/input")],
        outputs=[ProcessingOutput(output_name="train", source="/opt/ml/processing/train")],
        code="script.py",
        job_arguments=["--mode", mode],
    )
    estimator = Estimator(
        IMAGE, ROLE, 1, "ml.m5.xlarge", output_path=f"s3://{BUCKET}/out", sagemaker_session=session
    )
    data = TrainingInput(prepare.properties.ProcessingOutputConfig.Outputs["train"].S3Output.S3Uri)
    train = TrainingStep("Train", estimator=estimator, inputs={"train": data})
    tuner = HyperparameterTuner(
        estimator,
        "validation:rmse",
        {"eta": ContinuousParameter(0.1, 0.5)},
        metric_definitions=[{"Name": "validation:rmse", "Regex": "rmse=(.*)"}],
        max_jobs=2,
    )
    tune = TuningStep("Tune", tuner=tuner, inputs={"train": data})
    artifacts = train.properties.ModelArtifacts.S3ModelArtifacts
    model = Model(IMAGE, model_data=artifacts, role=ROLE, sagemaker_session=session)
    create = CreateModelStep("Create", model=model, inputs=CreateModelInput(instance_type="ml.m5.large"))
    transformer = Transformer(
        create.properties.ModelName,
        1,
        "ml.m5.large",
        output_path=f"s3://{BUCKET}/t",
        sagemaker_session=session,
    )
    transform = TransformStep(
        "Transform", transformer=transformer, inputs=TransformInput(data=f"s3://{BUCKET}/in")
    )
    register = RegisterModel(
        "Register",
        estimator=estimator,
        model_data=artifacts,
        content_types=["text/csv"],
        response_types=["text/csv"],
        inference_instances=["ml.m5.large"],
        transform_instances=["ml.m5.large"],
        model_package_group_name="classic",
        approval_status="Approved",
    )
    metric = train.properties.FinalMetricDataList["validation:rmse"].Value
    inner = ConditionStep(
        "WhichModel",
        conditions=[
            ConditionOr([ConditionGreaterThan(limit, 10), ConditionNot(ConditionEquals(deploy, True))])
        ],
        if_steps=[create, transform],
        else_steps=[register],
    )
    outer = ConditionStep(
        "Full",
        conditions=[
            ConditionIn(mode, ["full", "all"]),
            ConditionEquals(ExecutionVariables.PIPELINE_NAME, "Classic"),
            ConditionGreaterThan(metric, 0.5),
        ],
        if_steps=[inner],
        else_steps=[],
        depends_on=["Tune"],
    )
    return Pipeline(
        name="Classic",
        parameters=[mode, deploy, limit],
        steps=[outer, tune, train, prepare],
        sagemaker_session=session,
    ).definition()


def services() -> str:
    """Lambda, Callback, EMR on a cluster and with its own cluster, Fail; values handed between them."""
    from sagemaker.lambda_helper import Lambda
    from sagemaker.workflow.callback_step import CallbackOutput, CallbackOutputTypeEnum, CallbackStep
    from sagemaker.workflow.condition_step import ConditionStep
    from sagemaker.workflow.conditions import ConditionEquals
    from sagemaker.workflow.emr_step import EMRStep, EMRStepConfig
    from sagemaker.workflow.fail_step import FailStep
    from sagemaker.workflow.functions import Join
    from sagemaker.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
    from sagemaker.workflow.parameters import ParameterInteger, ParameterString
    from sagemaker.workflow.pipeline import Pipeline
    from sagemaker.workflow.steps import CacheConfig

    session = _session()
    cluster = ParameterString("Cluster", default_value="j-1ABCDEF234567")
    count = ParameterInteger("Count", default_value=2)
    function = Lambda(function_arn="arn:aws:lambda:us-east-1:123456789012:function:notify", session=session)
    call = LambdaStep(
        "Call",
        lambda_func=function,
        inputs={"count": count, "text": "x", "nested": {"cluster": cluster}},
        outputs=[
            LambdaOutput("status", LambdaOutputTypeEnum.Integer),
            LambdaOutput("uri", LambdaOutputTypeEnum.String),
        ],
        cache_config=CacheConfig(enable_caching=True, expire_after="T1H"),
    )
    wait = CallbackStep(
        "Wait",
        sqs_queue_url="https://sqs.us-east-1.amazonaws.com/123456789012/queue",
        inputs={"uri": call.properties.Outputs["uri"]},
        outputs=[CallbackOutput("done", CallbackOutputTypeEnum.Boolean)],
    )
    config = EMRStepConfig(
        jar="command-runner.jar",
        args=[
            "spark-submit",
            Join(on="/", values=["s3:/", BUCKET, "job.py"]),
            call.properties.Outputs["uri"],
        ],
    )
    on_cluster = EMRStep(
        "OnCluster", "On a cluster", "", cluster_id=cluster, step_config=config, depends_on=[wait]
    )
    own_cluster = EMRStep(
        "OwnCluster",
        "Own cluster",
        "makes one",
        cluster_id=None,
        step_config=config,
        cluster_config={
            "Applications": [{"Name": "Spark"}],
            "Instances": {
                "InstanceGroups": [
                    {"InstanceRole": "MASTER", "InstanceCount": 1, "InstanceType": "m5.2xlarge"},
                    {"InstanceRole": "CORE", "InstanceCount": count, "InstanceType": "m5.2xlarge"},
                ]
            },
            "ReleaseLabel": "emr-6.6.0",
            "JobFlowRole": "EMR_EC2_DefaultRole",
            "ServiceRole": "EMR_DefaultRole",
        },
    )
    check = ConditionStep(
        "Check",
        conditions=[ConditionEquals(call.properties.Outputs["status"], 200)],
        if_steps=[on_cluster],
        else_steps=[
            FailStep("Stop", error_message=Join(on="", values=["status ", call.properties.Outputs["status"]]))
        ],
    )
    return Pipeline(
        name="Services",
        parameters=[cluster, count],
        steps=[call, wait, own_cluster, check],
        sagemaker_session=session,
    ).definition()


def checks() -> str:
    """Quality and Clarify checks, and an AutoML step."""
    from sagemaker.automl.automl import AutoML, AutoMLInput
    from sagemaker.clarify import BiasConfig, DataConfig, ModelConfig, SHAPConfig
    from sagemaker.drift_check_baselines import DriftCheckBaselines
    from sagemaker.model import Model
    from sagemaker.model_metrics import MetricsSource
    from sagemaker.model_monitor.dataset_format import DatasetFormat
    from sagemaker.workflow.automl_step import AutoMLStep
    from sagemaker.workflow.check_job_config import CheckJobConfig
    from sagemaker.workflow.clarify_check_step import (
        ClarifyCheckStep,
        DataBiasCheckConfig,
        ModelExplainabilityCheckConfig,
    )
    from sagemaker.workflow.model_step import ModelStep
    from sagemaker.workflow.parameters import ParameterBoolean, ParameterString
    from sagemaker.workflow.pipeline import Pipeline
    from sagemaker.workflow.quality_check_step import (
        DataQualityCheckConfig,
        ModelQualityCheckConfig,
        QualityCheckStep,
    )

    session = _session()
    skip = ParameterBoolean(name="SkipCheck", default_value=False)
    group = ParameterString("Group", default_value="checked")
    dataset = f"s3://{BUCKET}/baseline/train.csv"
    job = CheckJobConfig(role=ROLE, instance_count=1, instance_type="ml.c5.xlarge", sagemaker_session=session)
    data_quality = QualityCheckStep(
        "DataQuality",
        quality_check_config=DataQualityCheckConfig(
            baseline_dataset=dataset,
            dataset_format=DatasetFormat.csv(header=False),
            output_s3_uri=f"s3://{BUCKET}/quality",
            record_preprocessor_script="preprocessor.py",
        ),
        check_job_config=job,
        skip_check=skip,
        register_new_baseline=True,
        model_package_group_name=group,
    )
    model_quality = QualityCheckStep(
        "ModelQuality",
        quality_check_config=ModelQualityCheckConfig(
            baseline_dataset=dataset,
            dataset_format=DatasetFormat.csv(header=False),
            output_s3_uri=f"s3://{BUCKET}/quality",
            problem_type="Regression",
            inference_attribute="_c0",
            ground_truth_attribute="_c1",
        ),
        check_job_config=job,
        model_package_group_name=group,
    )
    data_config = DataConfig(
        s3_data_input_path=dataset,
        s3_output_path=f"s3://{BUCKET}/bias",
        label=0,
        dataset_type="text/csv",
        s3_analysis_config_output_path=f"s3://{BUCKET}/config",
    )
    bias = ClarifyCheckStep(
        "DataBias",
        clarify_check_config=DataBiasCheckConfig(
            data_config=data_config,
            data_bias_config=BiasConfig(label_values_or_threshold=[15.0], facet_name=[8]),
        ),
        check_job_config=job,
        model_package_group_name=group,
    )
    automl = AutoML(
        role=ROLE,
        target_attribute_name="rings",
        sagemaker_session=session,
        total_job_runtime_in_seconds=3600,
        mode="ENSEMBLING",
    )
    auto = AutoMLStep(
        "Auto",
        step_args=automl.fit(
            inputs=AutoMLInput(dataset, target_attribute_name="rings", channel_type="training")
        ),
    )
    best = auto.get_best_auto_ml_model(ROLE, sagemaker_session=session)
    create = ModelStep("AutoModel", step_args=best.create(instance_type="ml.m5.large"))
    explain = ClarifyCheckStep(
        "Explain",
        clarify_check_config=ModelExplainabilityCheckConfig(
            data_config=data_config,
            model_config=ModelConfig(
                model_name=create.properties.ModelName, instance_count=1, instance_type="ml.m5.large"
            ),
            explainability_config=SHAPConfig(seed=1, num_samples=10),
        ),
        check_job_config=job,
        model_package_group_name=group,
    )
    registered = Model(IMAGE, model_data=f"s3://{BUCKET}/model.tar.gz", role=ROLE, sagemaker_session=session)
    properties = data_quality.properties
    register = ModelStep(
        "Checked",
        step_args=registered.register(
            content_types=["text/csv"],
            response_types=["text/csv"],
            inference_instances=["ml.m5.large"],
            model_package_group_name=group,
            drift_check_baselines=DriftCheckBaselines(
                model_data_statistics=MetricsSource(
                    s3_uri=properties.BaselineUsedForDriftCheckStatistics, content_type="application/json"
                ),
                model_data_constraints=MetricsSource(
                    s3_uri=properties.BaselineUsedForDriftCheckConstraints, content_type="application/json"
                ),
            ),
        ),
    )
    return Pipeline(
        name="Checks",
        parameters=[skip, group],
        steps=[data_quality, model_quality, bias, auto, create, explain, register],
        sagemaker_session=session,
    ).definition()


def functions() -> str:
    """`@step` functions: training jobs without scripts, JsonGet from S3, reversed order."""
    from sagemaker.workflow.condition_step import ConditionStep
    from sagemaker.workflow.conditions import ConditionGreaterThan
    from sagemaker.workflow.fail_step import FailStep
    from sagemaker.workflow.function_step import step
    from sagemaker.workflow.parameters import ParameterInteger
    from sagemaker.workflow.pipeline import Pipeline

    session = _session()
    rows = ParameterInteger("Rows", default_value=10)
    common = {
        "role": ROLE,
        "instance_type": "ml.m5.large",
        "image_uri": IMAGE,
        "keep_alive_period_in_seconds": 300,
    }

    @step(name="load", **common)
    def load(count: int) -> list[int]:
        return [count, 2]

    @step(name="score", **common)
    def score(first: int) -> float:
        return first / 2

    loaded = load(rows)
    scored = score(loaded[0])
    check = ConditionStep(
        "enough",
        conditions=[ConditionGreaterThan(scored, 0.5)],
        if_steps=[],
        else_steps=[FailStep("too-low", error_message="too low")],
    )
    return Pipeline(
        name="Functions", parameters=[rows], steps=[check], sagemaker_session=session
    ).definition()


def endpoints() -> str:
    """EndpointConfig and Endpoint steps, and lineage."""
    from sagemaker.model import Model
    from sagemaker.workflow.endpoint_step import EndpointConfigStep, EndpointStep
    from sagemaker.workflow.model_step import ModelStep
    from sagemaker.workflow.pipeline import Pipeline

    session = _session()
    model = Model(IMAGE, model_data=f"s3://{BUCKET}/model.tar.gz", role=ROLE, sagemaker_session=session)
    create = ModelStep("Create", step_args=model.create(instance_type="ml.m5.large"))
    config = EndpointConfigStep(
        "Config",
        step_args=session.create_endpoint_config(
            name="config",
            model_name=create.properties.ModelName,
            initial_instance_count=1,
            instance_type="ml.m5.large",
        ),
    )
    endpoint = EndpointStep(
        "Serve",
        step_args=session.create_endpoint(
            endpoint_name="serve", config_name=config.properties.EndpointConfigName
        ),
    )
    return Pipeline(
        name="Endpoints", parameters=[], steps=[create, config, endpoint], sagemaker_session=session
    ).definition()


def custom_names() -> str:
    """Job names of one's own (use_custom_job_prefix) and an experiment configuration."""
    from sagemaker.estimator import Estimator
    from sagemaker.inputs import TrainingInput
    from sagemaker.workflow.execution_variables import ExecutionVariables
    from sagemaker.workflow.pipeline import Pipeline
    from sagemaker.workflow.pipeline_definition_config import PipelineDefinitionConfig
    from sagemaker.workflow.pipeline_experiment_config import PipelineExperimentConfig
    from sagemaker.workflow.steps import TrainingStep

    session = _session()
    estimator = Estimator(
        IMAGE, ROLE, 1, "ml.m5.xlarge", base_job_name="my-training", sagemaker_session=session
    )
    train = TrainingStep("Train", step_args=estimator.fit({"train": TrainingInput(f"s3://{BUCKET}/in")}))
    return Pipeline(
        name="CustomNames",
        steps=[train],
        pipeline_experiment_config=PipelineExperimentConfig(
            "experiment", ExecutionVariables.PIPELINE_EXECUTION_ID
        ),
        pipeline_definition_config=PipelineDefinitionConfig(use_custom_job_prefix=True),
        sagemaker_session=session,
    ).definition()


PROGRAMS: tuple[Callable[[], str], ...] = (
    abalone,
    frameworks,
    classic,
    services,
    checks,
    functions,
    endpoints,
    custom_names,
)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, definition in build_all().items():
        (FOLDER / f"{name}.json").write_text(json.dumps(definition, indent=2) + "\n", encoding="utf-8")
        print(name, len(definition["Steps"]), "steps", file=sys.stderr)


if __name__ == "__main__":
    main()
