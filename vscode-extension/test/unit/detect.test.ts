import assert from "node:assert/strict";
import { test } from "node:test";
import { looksLikePipeline } from "../../src/common/detect.ts";

const yes: readonly [string, string, string][] = [
  ["SDK v2", "python", "from sagemaker.workflow.pipeline import Pipeline\n"],
  ["SDK v3", "python", "import os\nfrom sagemaker.mlops.workflow.pipeline import Pipeline\n"],
  ["an import in a function", "python", "def build():\n    from sagemaker.workflow import steps\n"],
  ["plain boto3", "python", "import boto3\nboto3.client('sagemaker').create_pipeline(PipelineName='p')\n"],
  ["a definition", "json", '{"Version": "2020-12-01", "Steps": []}'],
  ["a template in YAML", "yaml", "Resources:\n  P:\n    Type: AWS::SageMaker::Pipeline\n"],
];
const no: readonly [string, string, string][] = [
  ["another library", "python", "from sklearn.pipeline import Pipeline\n"],
  ["a mention in a comment", "python", "# from sagemaker.workflow import x\n"],
  ["a training script", "python", "import sagemaker\nprint('train')\n"],
  ["other JSON", "json", '{"Version": "2012-10-17", "Statement": []}'],
  ["another language", "markdown", "from sagemaker.workflow.pipeline import Pipeline"],
];

for (const [name, language, text] of yes) test(`${name} is a pipeline`, () => { assert.equal(looksLikePipeline(language, text), true); });
for (const [name, language, text] of no) test(`${name} is none`, () => { assert.equal(looksLikePipeline(language, text), false); });
