// What F5 does: breakpoints in scripts and on steps, variables, crashes; in real containers.

import assert from "node:assert/strict";
import { SharedWindow, useTestImages, wine } from "../harness/scenario.ts";
import { Workspace } from "../harness/workspaces.ts";

const training = new SharedWindow(wine);

training.scenario("a breakpoint in train.py hits inside of its container", async (workbench, workspace) => {
  const line = workspace.line("training/train.py", "model = build_model");
  await workbench.breakpoint("train.py", line);
  await workbench.openFile("pipeline.py");
  await workbench.page.keyboard.press("F5");
  await workbench.stopped("train.py", line);
  await workbench.expand("Locals");
  await workbench.variable(/features/).waitFor();
  const stack = await workbench.callStack();
  assert.ok(stack.some((row) => row.startsWith("wine") || row.startsWith("pipeline.py")), stack.join("\n"));
  assert.ok(stack.some((row) => row.startsWith("Train")), stack.join("\n"));
  await workbench.screenshot("breakpoint");

  await workbench.page.keyboard.press("F10");
  await workbench.stopped("train.py", line + 1);
  await workbench.variable(/^model/).waitFor();
  await workbench.page.keyboard.press("F5");
  await workbench.finished();
  await workbench.console("Succeeded after");
});

training.scenario("a breakpoint on a step stops before it; a changed hyperparameter arrives in its script", async (workbench, workspace) => {
  const step = workspace.line("pipeline.py", "train = TrainingStep(");
  const inside = workspace.line("training/train.py", "model = build_model");
  await workbench.breakpoint("train.py", inside);
  await workbench.breakpoint("pipeline.py", step);
  await workbench.page.keyboard.press("F5");
  await workbench.stopped("pipeline.py", step);
  await workbench.collapse("Parameters"); // VS Code opens the first scope where it was opened before
  await workbench.expand("Arguments");
  await workbench.expand("HyperParameters");
  await workbench.setVariable(/^trees/, "7");
  await workbench.screenshot("step-breakpoint", { docs: [".sidebar .pane", ".part.editor"] });

  await workbench.page.keyboard.press("F11");
  await workbench.stopped("train.py", workspace.line("training/train.py", '"""'));
  await workbench.page.keyboard.press("F5");
  await workbench.stopped("train.py", inside);
  await workbench.expand("Locals");
  await workbench.variable(/arguments.*trees=7/).waitFor();
}, { viewport: { width: 1280, height: 900 } });

function failing(workspace: Workspace): void {
  workspace.edit("training/train.py", "    model.fit(features, labels)", "    weights = labels / 0\n    model.fit(features, labels)\n    raise ValueError('the labels hold no signal')");
}

training.scenario("a crash is told, and debugged at the line that raised", async (workbench, workspace) => {
  await workbench.openFile("pipeline.py");
  await workbench.command("StepBridge: Run Pipeline");
  const told = await workbench.notification(/Step Train failed: .*no signal/, 120_000);
  await workbench.status(/Train failed · (Docker|Podman) \d/);
  await workbench.screenshot("failed-step");
  await told.hover();
  await told.locator(".monaco-button", { hasText: "Debug at Crash" }).click();
  await workbench.stopped("train.py", workspace.line("training/train.py", "raise ValueError"), 120_000);
  // VS Code shows the exception when its frame is come to; on a busy machine it may have come before it had all frames
  for (const frame of ["<module>", "main"]) {
    await workbench.page.locator(".debug-call-stack .stack-frame", { hasText: frame }).first().click();
  }
  const raised = workbench.page.locator(".exception-widget", { hasText: "no signal" });
  await raised.waitFor();
  assert.match(await raised.locator(".title").innerText(), /^Exception has occurred: ValueError\s*$/);
  await workbench.expand("Locals");
  await workbench.variable(/^weights/).waitFor();
  await workbench.status(/Train crashed · (Docker|Podman) \d/);
  await workbench.screenshot("post-mortem", { docs: [".sidebar .pane", ".part.editor"] });
}, { prepare: failing });

const twoSteps = `from sagemaker.processing import ScriptProcessor
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.steps import ProcessingStep

session = PipelineSession()


def step(name):
    processor = ScriptProcessor(
        image_uri="123456789012.dkr.ecr.us-east-1.amazonaws.com/python", command=["python3"], role="arn:aws:iam::123456789012:role/x",
        instance_type="ml.m5.large", instance_count=1, sagemaker_session=session,
    )
    return ProcessingStep(name=name, step_args=processor.run(code="work.py", arguments=[name]))


pipeline = Pipeline(name="pair", steps=[step("Left"), step("Right")], sagemaker_session=session)
pipeline.upsert(role_arn="arn:aws:iam::123456789012:role/x")
pipeline.start()
`;

const pair = new SharedWindow(() => {
  const workspace = new Workspace("pair");
  workspace.write("pipeline.py", twoSteps);
  workspace.write("work.py", 'import sys\n\nside = sys.argv[1]\nprint("I am", side)\n');
  useTestImages(workspace);
  return workspace;
});

pair.scenario("two steps at a time are two children", async (workbench) => {
  await workbench.breakpoint("work.py", 4);
  await workbench.openFile("pipeline.py");
  await workbench.page.keyboard.press("F5");
  for (const side of ["Left", "Right"]) {
    await workbench.page.locator(".debug-call-stack .monaco-list-row", { hasText: side }).filter({ hasText: /paused/i }).first().waitFor({ timeout: 90_000 });
  }
  await workbench.expand("Locals");
  await workbench.variable(/side.*(Left|Right)/).waitFor();
  await workbench.screenshot("parallel");
  await workbench.page.keyboard.press("F5");
  await workbench.console(/(Left|Right): Succeeded/);
  await workbench.page.keyboard.press("F5"); // the other one, which VS Code turns to
  await workbench.console(/Run \w+: Succeeded/);
});

function endless(workspace: Workspace): void {
  workspace.write("work.py", "import time\n\nround = 0\nwhile True:\n    round += 1\n    time.sleep(0.2)\n");
}

pair.scenario("a run that was not to be debugged is attached to", async (workbench) => {
  await workbench.breakpoint("work.py", 5);
  await workbench.openFile("pipeline.py");
  await workbench.openView("StepBridge");
  await workbench.row("Left").waitFor({ timeout: 60_000 });
  await workbench.command("StepBridge: Run Pipeline");
  await workbench.console(/Left: started/);
  await workbench.command("StepBridge: Attach to a Running Step");
  await workbench.pick("Left");
  await workbench.page.locator(".debug-call-stack .monaco-list-row", { hasText: "Attach to Left" }).filter({ hasText: /paused/i }).first().waitFor({ timeout: 90_000 });
  await workbench.expand("Locals");
  await workbench.variable(/^round/).waitFor();
  await workbench.screenshot("attached-later");
  await workbench.page.keyboard.press("Shift+F5");
  await workbench.command("StepBridge: Stop Run");
  await workbench.finished();
}, { prepare: endless });

pair.scenario("a step that runs is attached to", async (workbench) => {
  await workbench.openFile("pipeline.py");
  await workbench.page.keyboard.press("F5");
  await workbench.console(/Left: started/);
  // nothing is attached yet: the breakpoint comes while the step runs
  await workbench.breakpoint("work.py", 5);
  // both steps run this file; with two children their frames are folded in
  await workbench.page.locator(".debug-call-stack .monaco-list-row", { hasText: "Left" }).filter({ hasText: /paused/i }).first().waitFor({ timeout: 90_000 });
  await workbench.expand("Locals");
  await workbench.variable(/^round/).waitFor();
  await workbench.screenshot("attached");
  await workbench.page.keyboard.press("Shift+F5");
  await workbench.finished();
}, { prepare: endless });
