"""Jobs of SDK v3 without a pipeline. The first argument is the trainer's mode: SAGEMAKER_TRAINING_JOB or
LOCAL_CONTAINER."""

import sys

from sagemaker.core.helper.session_helper import Session, get_execution_role
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, SourceCode
from sagemaker.train.model_trainer import Mode

session = Session()
trainer = ModelTrainer(
    training_mode=Mode[sys.argv[1]],
    training_image="123456789012.dkr.ecr.us-east-1.amazonaws.com/own:1",
    role=get_execution_role(sagemaker_session=session),
    sagemaker_session=session,
    base_job_name="alone",
    source_code=SourceCode(source_dir="source", entry_script="train.py"),
    hyperparameters={"factor": 10},
    compute=Compute(instance_type="ml.m5.large", instance_count=1),
)
data = session.upload_data("data", session.default_bucket(), "v3/alone")
trainer.train(input_data_config=[InputData(channel_name="train", data_source=data)], logs=False)
job = trainer._latest_training_job
print("model", job.model_artifacts.s3_model_artifacts.rpartition("/")[2])
