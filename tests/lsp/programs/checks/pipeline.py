# ruff: noqa
"""Quality and bias checks, EMR."""

import sagemaker
from sagemaker.clarify import BiasConfig, DataConfig
from sagemaker.drift_check_baselines import DriftCheckBaselines
from sagemaker.model import Model
from sagemaker.model_metrics import MetricsSource, ModelMetrics
from sagemaker.model_monitor import DatasetFormat
from sagemaker.workflow.check_job_config import CheckJobConfig
from sagemaker.workflow.clarify_check_step import ClarifyCheckStep, DataBiasCheckConfig
from sagemaker.workflow.emr_step import EMRStep, EMRStepConfig
from sagemaker.workflow.functions import Join
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parameters import ParameterBoolean, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.quality_check_step import DataQualityCheckConfig, QualityCheckStep

session = PipelineSession()
role = sagemaker.get_execution_role()

skip_check = ParameterBoolean(name="SkipDataQualityCheck", default_value=False)
register_baseline = ParameterBoolean(name="RegisterNewBaseline", default_value=False)
statistics = ParameterString(name="SuppliedStatistics", default_value="s3://bucket/statistics.json")
cluster = ParameterString(name="ClusterId", default_value="j-1234567890ABC")

spark = EMRStep(
    name="Spark",
    display_name="Spark job",
    description="Joins the tables",
    cluster_id=cluster,
    step_config=EMRStepConfig(jar="s3://bucket/job.jar", args=["--all"], main_class="com.example.Job"),
)
check_job_config = CheckJobConfig(
    role=role,
    instance_count=1,
    instance_type="ml.c5.xlarge",
    volume_size_in_gb=120,
    sagemaker_session=session,
)
quality_config = DataQualityCheckConfig(
    baseline_dataset="s3://bucket/train.csv",
    dataset_format=DatasetFormat.csv(header=False, output_columns_position="START"),
    output_s3_uri=Join(on="/", values=["s3:/", session.default_bucket(), "quality"]),
)
quality = QualityCheckStep(
    name="DataQuality",
    skip_check=skip_check,
    register_new_baseline=register_baseline,
    quality_check_config=quality_config,
    check_job_config=check_job_config,
    supplied_baseline_statistics=statistics,
    model_package_group_name="checked",
    depends_on=[spark],
)
bias = ClarifyCheckStep(
    name="DataBias",
    clarify_check_config=DataBiasCheckConfig(
        data_config=DataConfig(
            s3_data_input_path="s3://bucket/train.csv",
            s3_output_path="s3://bucket/bias",
            label=0,
            dataset_type="text/csv",
        ),
        data_bias_config=BiasConfig(
            label_values_or_threshold=[15.0], facet_name=[8], facet_values_or_threshold=[[0.5]]
        ),
    ),
    check_job_config=check_job_config,
    skip_check=skip_check,
    register_new_baseline=register_baseline,
    model_package_group_name="checked",
)
metrics = ModelMetrics(
    model_data_statistics=MetricsSource(
        s3_uri=quality.properties.CalculatedBaselineStatistics, content_type="application/json"
    ),
    bias=MetricsSource(s3_uri=bias.properties.CalculatedBaselineConstraints, content_type="application/json"),
)
drift = DriftCheckBaselines(
    model_data_statistics=MetricsSource(
        s3_uri=quality.properties.BaselineUsedForDriftCheckStatistics, content_type="application/json"
    ),
)
model = Model(
    image_uri="123456789012.dkr.ecr.eu-west-1.amazonaws.com/own:1",
    model_data="s3://bucket/model.tar.gz",
    role=role,
    sagemaker_session=session,
)
register = ModelStep(
    name="Register",
    step_args=model.register(
        content_types=["text/csv"],
        response_types=["text/csv"],
        inference_instances=["ml.m5.large"],
        transform_instances=["ml.m5.large"],
        model_package_group_name="checked",
        model_metrics=metrics,
        drift_check_baselines=drift,
    ),
    depends_on=[bias],
)
pipeline = Pipeline(
    name="checked",
    parameters=[skip_check, register_baseline, statistics, cluster],
    steps=[spark, quality, bias, register],
    sagemaker_session=session,
)
