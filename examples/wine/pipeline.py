"""Train a classifier on the wine data set of scikit-learn, and keep it where it is good enough.

Preprocess -> Train -> Evaluate -> GoodEnough -+- yes -> Wine (a SageMaker model)
                                               +- no --> TooWeak (the run fails and says why)
"""

from pathlib import Path

from sagemaker import get_execution_role, image_uris
from sagemaker.inputs import TrainingInput
from sagemaker.model import Model
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.sklearn import SKLearn, SKLearnProcessor
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionGreaterThanOrEqualTo
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import Join, JsonGet
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parameters import (
    ParameterBoolean,
    ParameterFloat,
    ParameterInteger,
    ParameterString,
)
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.steps import ProcessingStep, TrainingStep

HERE = Path(__file__).resolve().parent
SKLEARN = "1.2-1"

session = PipelineSession()
role = get_execution_role(sagemaker_session=session)
image = image_uris.retrieve("sklearn", session.boto_region_name, version=SKLEARN)

instance_type = ParameterString(
    name="InstanceType", default_value="ml.m5.large", enum_values=["ml.m5.large", "ml.m5.xlarge"]
)
trees = ParameterInteger(name="Trees", default_value=100)
minimum_accuracy = ParameterFloat(name="MinimumAccuracy", default_value=0.9)
standardize = ParameterBoolean(name="Standardize", default_value=True)

preprocess = ProcessingStep(
    name="Preprocess",
    step_args=SKLearnProcessor(
        framework_version=SKLEARN,
        role=role,
        instance_type="ml.m5.large",
        instance_count=1,
        base_job_name="wine-preprocess",
        sagemaker_session=session,
    ).run(
        code=str(HERE / "preprocess.py"),
        arguments=["--test-share", "0.25", "--seed", "7"],
        outputs=[
            ProcessingOutput(output_name="train", source="/opt/ml/processing/train"),
            ProcessingOutput(output_name="test", source="/opt/ml/processing/test"),
        ],
    ),
)
outputs = preprocess.properties.ProcessingOutputConfig.Outputs

train = TrainingStep(
    name="Train",
    step_args=SKLearn(
        entry_point="train.py",
        source_dir=str(HERE / "training"),
        framework_version=SKLEARN,
        role=role,
        instance_type=instance_type,
        instance_count=1,
        base_job_name="wine-train",
        hyperparameters={"trees": trees, "max-depth": 6, "standardize": standardize},
        sagemaker_session=session,
    ).fit(inputs={"train": TrainingInput(outputs["train"].S3Output.S3Uri, content_type="text/csv")}),
)

report = PropertyFile(name="Report", output_name="evaluation", path="evaluation.json")
evaluate = ProcessingStep(
    name="Evaluate",
    step_args=ScriptProcessor(
        image_uri=image,
        command=["python3"],
        role=role,
        instance_type="ml.m5.large",
        instance_count=1,
        base_job_name="wine-evaluate",
        sagemaker_session=session,
    ).run(
        code=str(HERE / "evaluate.py"),
        inputs=[
            ProcessingInput(
                input_name="model",
                source=train.properties.ModelArtifacts.S3ModelArtifacts,
                destination="/opt/ml/processing/model",
            ),
            ProcessingInput(
                input_name="test",
                source=outputs["test"].S3Output.S3Uri,
                destination="/opt/ml/processing/test",
            ),
        ],
        outputs=[ProcessingOutput(output_name="evaluation", source="/opt/ml/processing/evaluation")],
    ),
    property_files=[report],
)
accuracy = JsonGet(step_name=evaluate.name, property_file=report, json_path="metrics.accuracy.value")

create_model = ModelStep(
    name="Wine",
    step_args=Model(
        image_uri=image,
        model_data=train.properties.ModelArtifacts.S3ModelArtifacts,
        role=role,
        env={"SAGEMAKER_PROGRAM": "model.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"},
        sagemaker_session=session,
    ).create(instance_type="ml.m5.large"),
)

too_weak = FailStep(
    name="TooWeak",
    error_message=Join(on=" ", values=["The accuracy is below the minimum of", minimum_accuracy]),
)

good_enough = ConditionStep(
    name="GoodEnough",
    conditions=[ConditionGreaterThanOrEqualTo(left=accuracy, right=minimum_accuracy)],
    if_steps=[create_model],
    else_steps=[too_weak],
)

pipeline = Pipeline(
    name="wine",
    parameters=[instance_type, trees, minimum_accuracy, standardize],
    steps=[preprocess, train, evaluate, good_enough],
    sagemaker_session=session,
)

if __name__ == "__main__":
    pipeline.upsert(role_arn=role, description="A wine classifier, kept where it is good enough.")
    execution = pipeline.start()
    print(execution.arn)
