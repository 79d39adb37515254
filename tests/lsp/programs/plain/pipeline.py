# ruff: noqa
"""boto3 only: the definition is a dictionary."""

import json

import boto3

REGION = "eu-west-1"
ROLE = "arn:aws:iam::123456789012:role/pipelines"

definition = {
    "Version": "2020-12-01",
    "Parameters": [{"Name": "InstanceType", "Type": "String", "DefaultValue": "ml.m5.large"}],
    "Steps": [
        {
            "Name": "Train",
            "Type": "Training",
            "Arguments": {
                "AlgorithmSpecification": {
                    "TrainingImage": f"123456789012.dkr.ecr.{REGION}.amazonaws.com/own:1",
                    "TrainingInputMode": "File",
                },
                "OutputDataConfig": {"S3OutputPath": "s3://bucket/output"},
                "ResourceConfig": {
                    "InstanceCount": 1,
                    "InstanceType": {"Get": "Parameters.InstanceType"},
                    "VolumeSizeInGB": 30,
                },
                "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
                "RoleArn": ROLE,
            },
        }
    ],
}


def main():
    """Create and start it."""
    client = boto3.client("sagemaker", region_name=REGION)
    client.create_pipeline(
        PipelineName="plain",
        PipelineDefinition=json.dumps(definition),
        RoleArn=ROLE,
        ClientRequestToken="0123456789-0123456789-0123456789",
    )
    client.start_pipeline_execution(
        PipelineName="plain", PipelineParameters=[{"Name": "InstanceType", "Value": "ml.m5.xlarge"}]
    )


if __name__ == "__main__":
    main()
