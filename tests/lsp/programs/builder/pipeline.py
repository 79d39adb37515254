# ruff: noqa
"""A class that makes the pipeline, a method for each step."""

import os
from typing import Dict

import sagemaker
from sagemaker.inputs import TrainingInput
from sagemaker.lambda_helper import Lambda
from sagemaker.processing import ProcessingInput, ProcessingOutput
from sagemaker.pytorch.estimator import PyTorch
from sagemaker.pytorch.model import PyTorchModel
from sagemaker.pytorch.processing import PyTorchProcessor
from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.tuner import CategoricalParameter, ContinuousParameter, HyperparameterTuner
from sagemaker.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parameters import Parameter, ParameterInteger, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.steps import CacheConfig, ProcessingStep, TuningStep

from config import Settings

BASE_DIR = os.path.dirname(os.path.realpath(__file__))
SOURCE_DIR = os.path.join(BASE_DIR, "source")


class SentimentPipeline:
    """process -> tune -> evaluate -> register -> deploy."""

    def __init__(self, role: str, settings: Settings, bucket: str = None) -> None:
        self.role = role or sagemaker.get_execution_role()
        self.settings = settings
        self.session = PipelineSession(default_bucket=bucket)
        self.bucket = self.session.default_bucket()
        self.model_path = f"s3://{self.bucket}/{settings.project}/model"
        self.cache_config = CacheConfig(enable_caching=True, expire_after="30d")
        self.parameters: Dict[str, Parameter] = {
            "count": ParameterInteger(name="ProcessingInstanceCount", default_value=1),
            "type": ParameterString(name="TrainingInstanceType", default_value="ml.m5.xlarge"),
            "approval": ParameterString(name="ModelApprovalStatus", default_value="PendingManualApproval"),
            "train": ParameterString(name="TrainData", default_value=f"s3://{self.bucket}/train.csv"),
            "method": ParameterString(name="InferenceMethod", default_value="serverless"),
        }

    def process(self) -> ProcessingStep:
        """The processing step."""
        processor = SKLearnProcessor(
            framework_version="1.2-1",
            instance_type=self.settings.processing_type,
            instance_count=self.parameters["count"],
            base_job_name=f"{self.settings.project}-process",
            role=self.role,
            sagemaker_session=self.session,
        )
        arguments = processor.run(
            inputs=[ProcessingInput(source=self.parameters["train"], destination="/opt/ml/processing/input")],
            outputs=[ProcessingOutput(output_name="train", source="/opt/ml/processing/train")],
            code=os.path.join(BASE_DIR, "preprocessing.py"),
        )
        return ProcessingStep(
            name=f"{self.settings.project}-Process", step_args=arguments, cache_config=self.cache_config
        )

    def tune(self, processed: ProcessingStep) -> TuningStep:
        """The tuning step."""
        estimator = PyTorch(
            entry_point="hp_tune.py",
            source_dir=SOURCE_DIR,
            role=self.role,
            py_version="py310",
            framework_version="2.1",
            instance_count=1,
            instance_type=self.parameters["type"],
            output_path=self.model_path,
            sagemaker_session=self.session,
        )
        estimator.set_hyperparameters(epochs=1)
        ranges = {
            "learning_rate": ContinuousParameter(0.0001, 0.1, scaling_type="Logarithmic"),
            "batch_size": CategoricalParameter([16, 32]),
        }
        tuner = HyperparameterTuner(
            estimator,
            "average_test_jaccard",
            ranges,
            metric_definitions=[{"Name": "average_test_jaccard", "Regex": "metric: ([0-9\\.]+)"}],
            max_jobs=3,
            max_parallel_jobs=3,
            objective_type="Minimize",
        )
        outputs = processed.properties.ProcessingOutputConfig.Outputs
        return TuningStep(
            name=f"{self.settings.project}-Tune",
            step_args=tuner.fit(
                inputs={
                    "train": TrainingInput(s3_data=outputs["train"].S3Output.S3Uri, content_type="text/csv")
                }
            ),
            cache_config=self.cache_config,
        )

    def evaluate(self, tuned: TuningStep) -> ProcessingStep:
        """The evaluation of the best model."""
        best = tuned.get_top_model_s3_uri(top_k=0, s3_bucket=self.bucket, prefix="model")
        processor = PyTorchProcessor(
            framework_version="2.1",
            py_version="py310",
            instance_type="ml.m5.xlarge",
            instance_count=1,
            role=self.role,
            sagemaker_session=self.session,
        )
        arguments = processor.run(
            code="evaluation.py",
            source_dir=SOURCE_DIR,
            inputs=[ProcessingInput(input_name="Model", source=best, destination="/opt/ml/processing/model")],
            outputs=[ProcessingOutput(output_name="evaluation", source="/opt/ml/processing/evaluation")],
        )
        report = PropertyFile(
            name=f"{self.settings.project}-Report", output_name="evaluation", path="pred.json"
        )
        return ProcessingStep(
            name=f"{self.settings.project}-Evaluate", step_args=arguments, property_files=[report]
        )

    def register(self, tuned: TuningStep):
        """Creation and registration of the model."""
        best = tuned.get_top_model_s3_uri(top_k=0, s3_bucket=self.bucket, prefix="model")
        model = PyTorchModel(
            model_data=best,
            role=self.role,
            framework_version="2.1",
            py_version="py310",
            source_dir=SOURCE_DIR,
            entry_point="inference.py",
            sagemaker_session=self.session,
        )
        created = ModelStep(
            name=f"{self.settings.project}-Create", step_args=model.create(instance_type="ml.t2.medium")
        )
        registered = ModelStep(
            name=f"{self.settings.project}-Register",
            step_args=model.register(
                content_types=["application/json"],
                response_types=["application/json"],
                inference_instances=["ml.m5.xlarge"],
                model_package_group_name=f"{self.settings.project}-models",
                approval_status=self.parameters["approval"],
            ),
        )
        return created, registered

    def deploy(self, created: ModelStep) -> LambdaStep:
        """The function that makes an endpoint."""
        function = Lambda(function_arn=f"arn:aws:lambda:{self.settings.region}:123456789012:function:deploy")
        return LambdaStep(
            name=f"{self.settings.project}-Deploy",
            lambda_func=function,
            inputs={"model": created.properties.ModelName, "method": self.parameters["method"]},
            outputs=[LambdaOutput(output_name="status", output_type=LambdaOutputTypeEnum.String)],
        )

    def build(self) -> Pipeline:
        """All of it."""
        processed = self.process()
        tuned = self.tune(processed)
        evaluated = self.evaluate(tuned)
        created, registered = self.register(tuned)
        deployed = self.deploy(created)
        return Pipeline(
            name=f"{self.settings.project}-pipeline",
            parameters=list(self.parameters.values()),
            steps=[processed, tuned, evaluated, created, registered, deployed],
            sagemaker_session=self.session,
        )


if __name__ == "__main__":
    settings = Settings(project="sentiment")
    pipeline = SentimentPipeline(role=os.environ.get("ROLE"), settings=settings).build()
    pipeline.upsert(role_arn=os.environ["ROLE"])
    pipeline.start(parameters={"ModelApprovalStatus": "Approved"}).wait()
