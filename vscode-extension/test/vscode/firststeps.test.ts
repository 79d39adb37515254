// The first minutes: the walkthrough, a folder that is not trusted, and a machine that has nothing yet.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { extensionFolder } from "../harness/server.ts";
import { scenario, useTestImages, wine } from "../harness/scenario.ts";
import { Workspace } from "../harness/workspaces.ts";

scenario("the walkthrough makes a sample project that runs under the debugger", () => {
  const workspace = new Workspace("empty");
  workspace.write("notes.txt", "nothing here yet\n");
  return workspace;
}, async (workbench, workspace) => {
  const { page } = workbench;
  await workbench.command("Welcome: Open Walkthrough...");
  await workbench.pick("StepBridge");
  await page.locator(".getting-started-step", { hasText: "sample" }).first().click();
  await workbench.screenshot("walkthrough");
  await page.locator(".getting-started-step.expanded .monaco-button", { hasText: "Create Sample Project" }).click();
  await page.locator(".quick-input-widget .quick-input-action .monaco-button", { hasText: "Create Here" }).click();
  await page.locator('.tab.active[data-resource-name="pipeline.py"]').waitFor();
  const made = "wine-pipeline";
  assert.ok(existsSync(workspace.path(`${made}/training/train.py`)));
  useTestImages(workspace, made);
  const line = workspace.line(`${made}/training/train.py`, "model = build_model");
  await workbench.breakpoint("train.py", line);
  await page.keyboard.press("F5"); // in the script: the pipeline that runs it is debugged
  await workbench.stopped("train.py", line, 120_000);
});

scenario("a workspace that is not trusted is linted, and nothing of it runs", () => {
  const workspace = wine();
  workspace.edit("pipeline.py", 'outputs["train"].S3Output', 'outputs["trian"].S3Output');
  return workspace;
}, async (workbench) => {
  const { page } = workbench;
  await page.locator(".monaco-dialog-box .monaco-button", { hasText: /^No/ }).click();
  await workbench.ready();
  await workbench.openFile("pipeline.py");
  const problems = await workbench.problems();
  assert.ok(problems.some((row) => row.includes("trian")), problems.join("\n"));
  await workbench.openView("StepBridge");
  await page.locator(".sidebar", { hasText: /not trusted|wine/ }).waitFor();
  assert.equal(await page.locator(".codelens-decoration a", { hasText: "Debug" }).count(), 0);
  await workbench.quickOpen(">StepBridge: Run Pipeline");
  await page.locator(".quick-input-list .monaco-list-row", { hasText: "StepBridge: Show Pipeline Graph" }).waitFor();
  assert.equal(await page.locator(".quick-input-list .monaco-list-row", { hasText: "StepBridge: Run Pipeline" }).count(), 0);
  await page.keyboard.press("Escape");
  await workbench.screenshot("untrusted");
}, { workspaceTrust: true, wait: false, settings: { "security.workspace.trust.startupPrompt": "always", "security.workspace.trust.banner": "always" } });

scenario("the package alone, on a machine without the tool, reaches squiggles and a breakpoint", () => {
  const workspace = wine();
  workspace.edit("pipeline.py", 'outputs["test"].S3Output', 'outputs["tset"].S3Output');
  return workspace;
}, async (workbench, workspace) => {
  const { page } = workbench;
  await workbench.openFile("pipeline.py");
  const told = await workbench.notification(/private environment/);
  await told.hover();
  await told.locator(".monaco-button", { hasText: /^Install$/ }).click();
  await workbench.gotoLine(workspace.line("pipeline.py", 'outputs["tset"]'));
  await page.locator(".squiggly-error").first().waitFor({ state: "attached", timeout: 200_000 });
  const problems = await workbench.problems();
  assert.ok(problems.some((row) => row.includes("tset")), problems.join("\n"));
  workspace.edit("pipeline.py", 'outputs["tset"].S3Output', 'outputs["test"].S3Output');
  const line = workspace.line("training/train.py", "model = build_model");
  await workbench.breakpoint("train.py", line);
  await workbench.openFile("pipeline.py");
  await page.keyboard.press("F5");
  await workbench.stopped("train.py", line, 120_000);
  await workbench.screenshot("fresh-machine");
  const installed = join(workbench.server.home, "extensions");
  const [notices] = readdirSync(installed, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith("THIRD_PARTY_NOTICES.txt"));
  assert.ok(notices, "the package holds no notices of bundled licences");
  assert.match(readFileSync(join(installed, notices), "utf8"), /^vscode-languageclient \d/m);
}, {
  development: false,
  vsix: [join(extensionFolder, "test-results/stepbridge.vsix")],
  environment: { PATH: cleanPath(), VIRTUAL_ENV: undefined, PYTHONDONTWRITEBYTECODE: undefined },
  settings: { "stepbridge.python": join(extensionFolder, "../.venv/bin/python") },
});

/** PATH without any folder that holds the tool. */
function cleanPath(): string {
  mkdirSync(join(extensionFolder, "test-results"), { recursive: true });
  return (process.env.PATH ?? "").split(":").filter((folder) => !existsSync(join(folder, "stepbridge"))).join(":");
}
