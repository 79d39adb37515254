"""A model with an inference script of its own: repacked, created, and registered; the registry is asked."""

import boto3
from sagemaker import get_execution_role
from sagemaker.inputs import TrainingInput
from sagemaker.model import Model
from sagemaker.model_metrics import MetricsSource, ModelMetrics
from sagemaker.workflow.functions import Join
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parameters import ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.steps import ProcessingStep, TrainingStep
from steps import IMAGE, REPORT, estimator, processing_inputs, processing_outputs, processor

session = PipelineSession()
role = get_execution_role(sagemaker_session=session)
approval = ParameterString(name="Approval", default_value="PendingManualApproval")
data = session.upload_data("data", session.default_bucket(), "models/data")

prepare = ProcessingStep(
    name="Prepare",
    step_args=processor(session).run(
        code="prepare.py", inputs=processing_inputs(data), outputs=processing_outputs()
    ),
    property_files=[REPORT],
)
prepared = prepare.properties.ProcessingOutputConfig.Outputs
train = TrainingStep(
    name="Train",
    step_args=estimator(session).fit({"train": TrainingInput(prepared["out"].S3Output.S3Uri)}),
)
model = Model(
    image_uri=IMAGE,
    model_data=train.properties.ModelArtifacts.S3ModelArtifacts,
    entry_point="inference.py",
    source_dir="source",
    role=role,
    sagemaker_session=session,
)
create = ModelStep(name="Create", step_args=model.create(instance_type="ml.m5.large"))
report = Join(on="/", values=[prepared["report"].S3Output.S3Uri, "report.json"])
register = ModelStep(
    name="Register",
    step_args=model.register(
        content_types=["application/json"],
        response_types=["application/json"],
        inference_instances=["ml.m5.large"],
        model_package_group_name="totals",
        approval_status=approval,
        model_metrics=ModelMetrics(
            model_statistics=MetricsSource(s3_uri=report, content_type="application/json")
        ),
    ),
)
pipeline = Pipeline(
    name="models", parameters=[approval], steps=[prepare, train, create, register], sagemaker_session=session
)
pipeline.upsert(role_arn=role)
execution = pipeline.start()
execution.wait()
client = boto3.client("sagemaker")
(package,) = client.list_model_packages(ModelPackageGroupName="totals")["ModelPackageSummaryList"]
print("package", package["ModelPackageVersion"], package["ModelApprovalStatus"])
described = client.describe_model_package(ModelPackageName=package["ModelPackageArn"])
print("metrics", described["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"].rpartition("/")[2])
client.update_model_package(ModelPackageArn=package["ModelPackageArn"], ModelApprovalStatus="Approved")
listed = client.list_model_packages(ModelPackageGroupName="totals", ModelApprovalStatus="Approved")
print("approved", len(listed["ModelPackageSummaryList"]))
