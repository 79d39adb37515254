# ruff: noqa
"""The old way: steps made of processors and estimators, everything at the top level."""

from time import gmtime, strftime

import sagemaker
from sagemaker.inputs import CreateModelInput, TrainingInput, TransformInput
from sagemaker.model import Model
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.transformer import Transformer
from sagemaker.workflow.condition_step import ConditionStep, JsonGet
from sagemaker.workflow.conditions import ConditionGreaterThanOrEqualTo
from sagemaker.workflow.parameters import ParameterInteger, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.step_collections import RegisterModel
from sagemaker.workflow.steps import CreateModelStep, ProcessingStep, TrainingStep, TransformStep
from sagemaker.xgboost import XGBoost

sess = sagemaker.Session()
bucket = sess.default_bucket()
region = sess.boto_region_name
role = sagemaker.get_execution_role()
stamp = strftime("%Y-%m-%d-%H-%M-%S", gmtime())
prefix = "sagemaker/churn"

process_instance_type = "ml.c5.xlarge"
train_instance_count = 1

input_data = ParameterString(name="InputData", default_value="s3://{}/{}/raw".format(bucket, prefix))
processing_count = ParameterInteger(name="ProcessingInstanceCount", default_value=1)
training_type = ParameterString(name="TrainingInstanceType", default_value="ml.m5.xlarge")
approval = ParameterString(
    name="ModelApprovalStatus",
    default_value="PendingManualApproval",
    enum_values=["PendingManualApproval", "Approved", "Rejected"],
)
pipeline_params = [input_data, processing_count]
pipeline_params += [training_type, approval]

processor = SKLearnProcessor(
    framework_version="0.23-1",
    role=role,
    instance_type=process_instance_type,
    instance_count=processing_count,
    base_job_name="churn-" + stamp,
)
step_process = ProcessingStep(
    name="ChurnPreprocess",
    processor=processor,
    inputs=[
        ProcessingInput(
            source=input_data,
            destination="/opt/ml/processing/input",
            s3_data_distribution_type="ShardedByS3Key",
        )
    ],
    outputs=[
        ProcessingOutput(output_name="train_data", source="/opt/ml/processing/output/train"),
        ProcessingOutput(output_name="test_data", source="/opt/ml/processing/output/test"),
    ],
    job_arguments=["--ratio", "0.2"],
    code="code/preprocess.py",
)

train_uri = step_process.properties.ProcessingOutputConfig.Outputs["train_data"].S3Output.S3Uri
test_uri = step_process.properties.ProcessingOutputConfig.Outputs["test_data"].S3Output.S3Uri

image = sagemaker.image_uris.retrieve("xgboost", region, version="1.2-1", instance_type="ml.m5.xlarge")
xgb = sagemaker.estimator.Estimator(
    image_uri=image,
    role=role,
    instance_count=train_instance_count,
    instance_type=training_type,
    output_path=f"s3://{bucket}/{prefix}/model",
    hyperparameters={"max_depth": "5", "eta": 0.2, "num_round": 100},
)
step_train = TrainingStep(
    name="ChurnTrain",
    estimator=xgb,
    inputs={
        "train": TrainingInput(s3_data=train_uri, content_type="text/csv"),
        "validation": TrainingInput(test_uri, content_type="text/csv"),
    },
)

evaluation_report = PropertyFile("ChurnEvaluation", output_name="evaluation", path="evaluation.json")
script_processor = ScriptProcessor(
    image_uri=image, command=["python3"], instance_type=process_instance_type, instance_count=1, role=role
)
step_eval = ProcessingStep(
    name="ChurnEvaluate",
    processor=script_processor,
    inputs=[
        ProcessingInput(
            source=step_train.properties.ModelArtifacts.S3ModelArtifacts,
            destination="/opt/ml/processing/model",
        ),
        ProcessingInput(source=test_uri, destination="/opt/ml/processing/test"),
    ],
    outputs=[ProcessingOutput(output_name="evaluation", source="/opt/ml/processing/evaluation")],
    code="code/evaluate.py",
    property_files=[evaluation_report],
)

model = Model(
    image_uri=image,
    model_data=step_train.properties.ModelArtifacts.S3ModelArtifacts,
    sagemaker_session=sess,
    role=role,
)
step_create = CreateModelStep(
    name="ChurnCreateModel",
    model=model,
    inputs=CreateModelInput(instance_type="ml.m5.large", accelerator_type="ml.eia1.medium"),
)
transformer = Transformer(
    model_name=step_create.properties.ModelName,
    instance_type="ml.m5.xlarge",
    instance_count=1,
    output_path=f"s3://{bucket}/{prefix}/transform",
)
step_transform = TransformStep(
    name="ChurnTransform", transformer=transformer, inputs=TransformInput(data=input_data)
)
step_register = RegisterModel(
    name="ChurnRegister",
    estimator=xgb,
    model_data=step_train.properties.ModelArtifacts.S3ModelArtifacts,
    content_types=["text/csv"],
    response_types=["text/csv"],
    inference_instances=["ml.t2.medium", "ml.m5.xlarge"],
    transform_instances=["ml.m5.xlarge"],
    model_package_group_name="ChurnModels",
    approval_status=approval,
)
condition = ConditionGreaterThanOrEqualTo(
    left=JsonGet(step=step_eval, property_file=evaluation_report, json_path="metrics.auc.value"),
    right=0.75,
)
step_condition = ConditionStep(
    name="ChurnCheck",
    conditions=[condition],
    if_steps=[step_register, step_create, step_transform],
    else_steps=[],
)

pipeline = Pipeline(
    name="ChurnModelPipeline",
    parameters=pipeline_params,
    steps=[step_process, step_train, step_eval, step_condition],
)
print(XGBoost.__name__)

if __name__ == "__main__":
    pipeline.upsert(role_arn=role)
    execution = pipeline.start(parameters=dict(ProcessingInstanceCount="2", ModelApprovalStatus="Approved"))
    print(execution.describe())
