"""Several pipelines: one whose step starts another by boto3, and one that is only named."""

import boto3
from sagemaker import get_execution_role
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.parameters import ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.steps import ProcessingStep
from steps import processor

session = PipelineSession()
role = get_execution_role(sagemaker_session=session)
reason = ParameterString(name="Reason")
inner = Pipeline(
    name="inner",
    parameters=[reason],
    steps=[FailStep(name="Stop", error_message=reason)],
    sagemaker_session=session,
)
inner.upsert(role_arn=role)
start = ProcessingStep(name="Start", step_args=processor(session).run(code="start.py"))
outer = Pipeline(name="outer", steps=[start], sagemaker_session=session)
outer.upsert(role_arn=role)
outer.start().wait()

known = Pipeline(name="inner", sagemaker_session=session)
print("role", known.describe()["RoleArn"] == role)
execution = known.start(parameters={"Reason": "by name"})
try:
    execution.wait()
except Exception as error:  # the SDK's waiter raises for what failed
    print("wait", type(error).__name__)
client = boto3.client("sagemaker")
listed = client.list_pipeline_executions(PipelineName="inner")["PipelineExecutionSummaries"]
arns = [summary["PipelineExecutionArn"] for summary in listed]
described = [client.describe_pipeline_execution(PipelineExecutionArn=arn) for arn in arns]
print("reasons", sorted(answer["FailureReason"].rpartition("] ")[2] for answer in described))
