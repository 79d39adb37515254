// In a workspace with Python files and no pipeline: the extension is there, and does nothing.

import assert from "node:assert/strict";
import * as vscode from "vscode";
import type { Api } from "../../src/extension.ts";
import { check, eventually, runAll } from "./check.ts";

const extension = vscode.extensions.getExtension<Api>("stepbridge.stepbridge");

check("a Python file that is no pipeline starts nothing", async () => {
  assert.ok(extension);
  const [file] = await vscode.workspace.findFiles("train.py");
  assert.ok(file);
  await vscode.window.showTextDocument(file);
  const api = await extension.activate();
  assert.equal(api.awake, false);
  assert.equal(api.tools.current, undefined);
  assert.equal(api.status.shown, undefined);
});

check("activation takes under 100 ms of its own time", async () => {
  const api = await extension?.activate();
  assert.ok(api);
  console.log(`activation: ${api.activation.toFixed(0)} ms`);
  assert.ok(api.activation < 100, `${String(api.activation)} ms`);
});

check("a document that becomes a pipeline wakes it up", async () => {
  const api = await extension?.activate();
  const file = vscode.Uri.joinPath(vscode.workspace.workspaceFolders?.[0]?.uri ?? vscode.Uri.file("/"), "pipeline.py");
  await vscode.workspace.fs.writeFile(file, Buffer.from("from sagemaker.workflow.pipeline import Pipeline\n"));
  await vscode.window.showTextDocument(file);
  assert.ok(api);
  assert.equal(api.awake, true);
  assert.match((await api.tools.find())?.command ?? "", /fake\/stepbridge$/);
  assert.match(api.status.shown?.text ?? "", /StepBridge/);
  await eventually(() => api.status.shown?.text === "$(pass) StepBridge: Docker 27.5.1", api.engines.onDidChange);
});

check("the status item goes with the last pipeline", async () => {
  const api = await extension?.activate();
  assert.ok(api);
  const document = vscode.window.activeTextEditor?.document;
  assert.ok(document);
  assert.ok(document.fileName.endsWith("pipeline.py"));
  // a document of another language counts as closed at once; a closed tab's document lingers
  await vscode.languages.setTextDocumentLanguage(document, "plaintext");
  await eventually(() => api.status.shown === undefined, vscode.workspace.onDidCloseTextDocument, vscode.workspace.onDidOpenTextDocument);
});

export const run = runAll;
