// In a workspace with a pipeline, on the stand-in for the tool: models, configurations, sessions, servers that die.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import * as vscode from "vscode";
import type { Api } from "../../src/extension.ts";
import { check, eventually, runAll } from "./check.ts";

const extension = vscode.extensions.getExtension<Api>("stepbridge.stepbridge");
const folder = vscode.workspace.workspaceFolders?.[0];

async function ready(): Promise<Api> {
  assert.ok(extension);
  const api = await extension.activate();
  await vscode.window.showTextDocument(file("pipeline.py"));
  await eventually(() => api.language.running, api.language.onReady);
  return api;
}

function file(name: string): vscode.Uri {
  assert.ok(folder);
  return vscode.Uri.joinPath(folder.uri, name);
}

/** Starts a session and waits for its configuration as the debug server saw it, and for its end. */
async function debug(configuration: vscode.DebugConfiguration, more?: vscode.DebugSessionOptions): Promise<{ seen: Record<string, unknown>; sessions: vscode.DebugSession[] }> {
  const sessions: vscode.DebugSession[] = [];
  let seen: Record<string, unknown> | undefined;
  const subscriptions = [
    vscode.debug.onDidStartDebugSession((session) => sessions.push(session)),
    vscode.debug.onDidReceiveDebugSessionCustomEvent(({ session, event, body }) => {
      if (event === "stepbridge/launched" && session.parentSession === undefined) seen = body as Record<string, unknown>;
    }),
  ];
  const { promise, resolve } = Promise.withResolvers<unknown>();
  subscriptions.push(vscode.debug.onDidTerminateDebugSession((session) => { if (session.parentSession === undefined) resolve(session); }));
  assert.equal(await vscode.debug.startDebugging(folder, configuration, more), true);
  await promise;
  vscode.Disposable.from(...subscriptions).dispose();
  assert.ok(seen, "the debug server saw no launch");
  return { seen, sessions };
}

check("F5 in a script right after the start waits until pipelines are known", async () => {
  assert.ok(extension);
  const api = await extension.activate();
  await vscode.window.showTextDocument(file("train.py"));
  assert.equal(api.language.running, false);
  const { seen } = await debug({} as vscode.DebugConfiguration);
  assert.equal(seen.program, file("pipeline.py").fsPath);
});

check("the workspace's pipelines are found and told", async () => {
  const api = await ready();
  const all = await api.pipelines.all();
  assert.deepEqual(all.map(({ uri, pipeline }) => [vscode.workspace.asRelativePath(uri), pipeline.name, pipeline.steps.length]), [["pipeline.py", "wine", 3]]);
});

check("the status item names what runs the steps", async () => {
  const api = await ready();
  const text = await eventually(() => api.status.shown?.text.includes("Docker") && api.status.shown.text, api.engines.onDidChange);
  assert.match(text, /Docker 27\.5\.1$/);
  assert.match(api.status.shown?.tooltip ?? "", /Steps run in \*\*Docker 27\.5\.1\*\*/);
});

check("lenses stand above the pipeline and each step", async () => {
  await ready();
  const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>("vscode.executeCodeLensProvider", file("pipeline.py"), 100);
  assert.equal(lenses.filter(({ command }) => command?.command === "stepbridge.debug").length, 4);
});

check("F5 without a launch.json takes the pipeline of the editor", async () => {
  await ready();
  const { seen } = await debug({} as vscode.DebugConfiguration);
  assert.equal(seen.program, file("pipeline.py").fsPath);
  assert.equal(seen.__client, "stepbridge-vscode");
  assert.deepEqual(seen.parameters, {});
  assert.equal(seen.postMortem, true);
});

check("F5 in a step's script takes the pipeline that runs it", async () => {
  await ready();
  await vscode.window.showTextDocument(file("train.py"));
  const { seen } = await debug({} as vscode.DebugConfiguration);
  assert.equal(seen.program, file("pipeline.py").fsPath);
});

check("a relative program is below the folder, and the user's settings stay", async () => {
  await ready();
  const { seen } = await debug({ type: "stepbridge", request: "launch", name: "x", program: "pipeline.py", engine: "process", postMortem: false, parameters: { Trees: 3 } });
  assert.equal(seen.program, file("pipeline.py").fsPath);
  assert.deepEqual([seen.engine, seen.postMortem, seen.parameters], ["process", false, { Trees: 3 }]);
});

check("events of the run reach the store, and a child is nested below its run", async () => {
  const api = await ready();
  const { sessions } = await debug({ type: "stepbridge", request: "launch", name: "wine", program: "pipeline.py" });
  const run = api.runs.live[0];
  assert.deepEqual(run?.steps.map(({ name, status }) => [name, status]), [["Prepare", "Succeeded"], ["Train", "Failed"], ["Evaluate", "Skipped"]]);
  assert.equal(run.status, "Failed");
  const child = sessions.find(({ name, parentSession }) => name.startsWith("Train") && parentSession?.name.startsWith("wine"));
  assert.equal(api.status.shown?.text, "$(error) Train failed · Docker 27.5.1");
  assert.equal(child?.configuration.__step, "Train", sessions.map(({ name, parentSession }) => `${parentSession?.name ?? "-"} > ${name}`).join(", "));
});

check("lenses say how the last run went", async () => {
  await ready();
  const lenses = await vscode.commands.executeCommand<vscode.CodeLens[]>("vscode.executeCodeLensProvider", file("pipeline.py"), 100);
  const titles = lenses.map(({ command }) => command?.title);
  assert.ok(titles.includes("✗ failed in 1.5 s"), String(titles));
  assert.ok(titles.includes("✓ succeeded in 0.5 s"), String(titles));
});

check("one dynamic configuration per pipeline, relative to the folder", async () => {
  const api = await ready();
  const made = await api.configurations.provideDebugConfigurations(folder);
  assert.deepEqual(made, [{ type: "stepbridge", request: "launch", name: "Pipeline wine", program: "${workspaceFolder}/pipeline.py" }]);
});

check("a language server that is killed comes back and answers", async () => {
  const api = await ready();
  const again = new Promise<void>((done) => {
    const subscription = api.language.onReady(() => {
      subscription.dispose();
      done();
    });
  });
  await kill(/ lsp$/);
  await again;
  assert.equal((await api.pipelines.all()).length, 1);
});

check("a debug server that is killed is started again at the next F5", async () => {
  await ready();
  await kill(/ dap /);
  const { seen } = await debug({ type: "stepbridge", request: "launch", name: "again", program: "pipeline.py" });
  assert.equal(seen.name, "again");
});

check("the history is listed, and a run of it opens with its steps", async () => {
  const api = await ready();
  await api.runs.refresh();
  assert.deepEqual(api.runs.list.map(({ run }) => run), ["bbbbbbbbbbbb", "aaaaaaaaaaaa"]);
  const run = await api.runs.open("aaaaaaaaaaaa");
  assert.equal(run?.steps[0]?.name, "Prepare");
  const text = (await vscode.workspace.openTextDocument(vscode.Uri.from({ scheme: "stepbridge-run", path: "aaaaaaaaaaaa.txt" }))).getText();
  assert.match(text, /Trees: 10/);
});

/** Ends the newest process of the stand-in whose command line fits; it writes pid and words to a file. */
async function kill(words: RegExp): Promise<void> {
  const log = process.env.STEPBRIDGE_FAKE_LOG;
  assert.ok(log);
  const line = readFileSync(log, "utf8").trim().split("\n").findLast((one) => words.test(one));
  const pid = Number(line?.split(" ")[0]);
  process.kill(pid, "SIGKILL");
  // it is gone once the extension host, its parent, has taken note
  while (existsSync(`/proc/${String(pid)}`)) await new Promise(setImmediate);
}

export const run = runAll;
