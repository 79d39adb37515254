// The extension in the extension host of a real VS Code, on a stand-in for the tool.

import assert from "node:assert/strict";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { runInExtensionHost } from "../harness/api.ts";
import { extensionFolder } from "../harness/server.ts";
import { fakePipeline, Workspace } from "../harness/workspaces.ts";

function environment(workspace: Workspace): Record<string, string> {
  return {
    PATH: [join(extensionFolder, "test/fake"), process.env.PATH].join(delimiter),
    STEPBRIDGE_FAKE_LOG: join(workspace.folder, "../calls.log"),
  };
}

const run = "cccccccccccc";
const child = { type: "stepbridge", request: "attach", name: "Train", __run: run, __step: "Train", __host: "algo-1", __pid: 7, __token: "fake-token" };

function events(program: string): object[] {
  const of = (step: string, more: object): object => ({ run, step, ...more });
  return [
    { event: "run-started", run, pipeline: "wine", arn: "arn", parameters: {}, program, steps: ["Prepare", "Train", "Evaluate"].map((name) => ({ name, type: "Training" })) },
    { event: "step-started", ...of("Prepare", {}) },
    { event: "step-finished", ...of("Prepare", { status: "Succeeded", seconds: 0.5 }) },
    { event: "step-started", ...of("Train", {}) },
    { name: "stepbridge/child", configuration: child },
    { event: "step-finished", ...of("Train", { status: "Failed", seconds: 0.9, failure: "ValueError: no" }) },
    { event: "step-finished", ...of("Evaluate", { status: "Skipped", seconds: 0 }) },
    { event: "run-finished", run, status: "Failed", seconds: 1.5, failure: "Step Train failed" },
    { name: "terminated" },
  ];
}

function history(id: string, started: number, trees: number): object {
  const steps = [{ name: "Prepare", type: "Processing", status: "Succeeded", started, seconds: 1 }];
  return { run: id, pipeline: "wine", status: "Succeeded", started, seconds: 2, parameters: { Trees: trees }, program: null, steps };
}

async function report(entry: string, workspace: Workspace, part: (name: string, body: () => void) => Promise<void>): Promise<void> {
  try {
    const results = await runInExtensionHost(entry, { folder: workspace.folder, environment: environment(workspace) });
    assert.ok(results.length > 0, "no check ran");
    for (const { name, error } of results) await part(name, () => { assert.equal(error, undefined, error); });
  } finally {
    workspace.remove();
  }
}

test("without a pipeline", async (context) => {
  const workspace = new Workspace();
  workspace.write("train.py", "print('trains')\n");
  await report("quiet.ts", workspace, (name, body) => context.test(name, body));
});

test("with a pipeline", async (context) => {
  const workspace = new Workspace();
  const script = new URL(`file://${workspace.write("train.py", "print('trains')\n")}`).href;
  const { text, model } = fakePipeline(
    [["Prepare", "Processing"], ["Train", "Training", { script }], ["Evaluate", "Processing"]],
    [{ source: "Prepare", target: "Train", kind: "data" }, { source: "Train", target: "Evaluate", kind: "data" }],
    [{ name: "Trees", type: "Integer", default: 100 }],
  );
  const program = workspace.write("pipeline.py", text);
  workspace.write("pipeline.py.fake.json", { pipelines: [model], events: events(program) });
  workspace.write(".stepbridge/history.sqlite", "");
  workspace.write(".stepbridge/history.fake.json", { runs: [history("aaaaaaaaaaaa", 1000, 10), history("bbbbbbbbbbbb", 2000, 20)] });
  await report("pipeline.ts", workspace, (name, body) => context.test(name, body));
});
