// Runs and what is seen of them: the graph, the trees, running again.

import assert from "node:assert/strict";
import type { Locator } from "playwright-core";
import { scenario, withTool, wine } from "../harness/scenario.ts";
import type { Workbench } from "../harness/workbench.ts";

function node(workbench: Workbench, step: string): Locator {
  return workbench.webview("wine").locator(".node", { has: workbench.webview("wine").locator(".name", { hasText: new RegExp(`^${step}$`) }) });
}

async function status(workbench: Workbench, step: string, wanted: RegExp | string, timeout = 120_000): Promise<void> {
  const words = typeof wanted === "string" ? `[data-status="${wanted}"]` : "";
  await node(workbench, step).and(workbench.webview("wine").locator(`.node${words}`)).waitFor({ timeout });
}

/** A pipeline whose training takes long enough to be looked at. */
function withSlowTraining(): ReturnType<typeof wine> {
  const workspace = wine();
  workspace.edit("training/train.py", "def main():\n", "def main():\n    __import__(\"time\").sleep(5)\n");
  return workspace;
}

scenario("the graph shows the run live, and the keyboard moves in it", withSlowTraining, async (workbench) => {
  const { page } = workbench;
  await workbench.openFile("pipeline.py");
  await workbench.openView("StepBridge");
  await workbench.row("GoodEnough").waitFor({ timeout: 60_000 });
  await workbench.command("StepBridge: Show Pipeline Graph");
  await node(workbench, "TooWeak").waitFor();
  await workbench.webview("wine").getByRole("button", { name: "Run the pipeline" }).click();
  await status(workbench, "Train", "Executing");
  await workbench.screenshot("graph-live", { docs: true });
  await status(workbench, "Wine-CreateModel", "Succeeded");
  await status(workbench, "TooWeak", "Skipped");
  await workbench.finished();
  const rows = await workbench.webview("wine").locator(".timeline .row[role=listitem]").allInnerTexts();
  assert.ok(rows.length >= 3, rows.join());
  await workbench.screenshot("graph-done", { docs: true });

  await node(workbench, "Preprocess").focus();
  await page.keyboard.press("ArrowDown");
  const focused = workbench.webview("wine").locator(".node:focus .name");
  assert.equal(await focused.innerText(), "Train");
  await page.keyboard.press("Enter");
  await page.locator("#status\\.editor\\.selection", { hasText: /Ln 65,/ }).waitFor();
}, { viewport: { width: 1400, height: 860 } });

scenario("after an edit a run goes on from the edited step", wine, async (workbench, workspace) => {
  await workbench.openFile("pipeline.py");
  await workbench.openView("StepBridge");
  await workbench.row("GoodEnough").waitFor({ timeout: 60_000 });
  await workbench.command("StepBridge: Run Pipeline");
  await workbench.console(/Run \w+: Succeeded/, 150_000);
  await workbench.finished();
  workspace.edit("evaluate.py", 'print(f"accuracy', 'print(f"measured again: accuracy');
  await workbench.inline(workbench.row("Evaluate"), "Rerun from Here");
  await workbench.console("measured again", 150_000);
  await workbench.console(/Run \w+: Succeeded/, 150_000);
  await workbench.finished();
  // two runs are listed, and the second did not train again
  await workbench.page.locator(".sidebar .monaco-list-row", { hasText: /wine.*just now/ }).nth(1).waitFor();
  await workbench.screenshot("rerun");
});

scenario("without Docker the message says so and offers local processes", wine, async (workbench) => {
  await workbench.openFile("pipeline.py");
  await workbench.command("StepBridge: Run Pipeline");
  const told = await workbench.notification(/No container engine answers/);
  await told.hover();
  await told.locator(".monaco-button", { hasText: "Use Local Processes This Time" }).waitFor();
  await told.locator(".monaco-button", { hasText: "Try Again" }).waitFor();
  await workbench.screenshot("no-docker");
  await told.locator(".monaco-button", { hasText: "Use Local Processes This Time" }).click();
  await workbench.console(/Preprocess: started/);
}, {
  environment: withTool({ DOCKER_HOST: "unix:///nowhere/docker.sock" }),
  settings: { "stepbridge.engine": "docker" },
});
