// A working day: what is seen while typing, the graph of a run, running again after an edit, a day without Docker.

import assert from "node:assert/strict";
import type { Locator } from "playwright-core";
import { scenario, SharedWindow, withTool, wine } from "../harness/scenario.ts";
import type { Workbench } from "../harness/workbench.ts";
import type { Workspace } from "../harness/workspaces.ts";

function node(workbench: Workbench, step: string): Locator {
  return workbench.webview("wine").locator(".node", { has: workbench.webview("wine").locator(".name", { hasText: new RegExp(`^${step}$`) }) });
}

async function status(workbench: Workbench, step: string, wanted: RegExp | string, timeout = 120_000): Promise<void> {
  const words = typeof wanted === "string" ? `[data-status="${wanted}"]` : "";
  await node(workbench, step).and(workbench.webview("wine").locator(`.node${words}`)).waitFor({ timeout });
}

const working = new SharedWindow(wine);

working.scenario("a mistake is underlined, explained on hover and mended by a quick fix", async (workbench, workspace) => {
  const { page } = workbench;
  await workbench.openFile("pipeline.py", workspace.line("pipeline.py", 'outputs["trian"]'));
  const squiggle = page.locator(".squiggly-error").first();
  await squiggle.waitFor({ state: "attached", timeout: 60_000 });
  // VS Code asks for lenses only while the editor has the focus
  await page.locator(".codelens-decoration a:visible", { hasText: "Debug" }).first().waitFor();
  const problems = await workbench.problems();
  assert.ok(problems.some((row) => row.includes("trian")), problems.join("\n"));

  await workbench.openFile("pipeline.py");
  await workbench.hover(squiggle, "trian");
  await page.locator(".monaco-hover:visible .action", { hasText: "Quick Fix" }).waitFor();
  await workbench.screenshot("squiggle", { docs: [".part.editor"] });

  await page.mouse.down();
  await page.mouse.up();
  await page.keyboard.press("Control+.");
  await page.locator(".action-widget .monaco-list-row", { hasText: /train/ }).first().click();
  await page.locator(".view-line", { hasText: 'outputs["train"].S3Output' }).first().waitFor();
  await squiggle.waitFor({ state: "detached" });
}, {
  prepare: (workspace) => { workspace.edit("pipeline.py", 'outputs["train"].S3Output', 'outputs["trian"].S3Output'); },
});

/** Training takes long enough to be looked at. */
function slowTraining(workspace: Workspace): void {
  workspace.edit("training/train.py", "def main():\n", "def main():\n    __import__(\"time\").sleep(5)\n");
}

working.scenario("the graph shows the run live, and the keyboard moves in it", async (workbench) => {
  const { page } = workbench;
  await workbench.openFile("pipeline.py");
  await workbench.openView("StepBridge");
  await workbench.row("GoodEnough").waitFor({ timeout: 60_000 });
  await workbench.command("StepBridge: Show Pipeline Graph");
  await node(workbench, "TooWeak").waitFor();
  await workbench.webview("wine").getByRole("button", { name: "Run the pipeline" }).click();
  await status(workbench, "Train", "Executing");
  await workbench.status(/Train · (Docker|Podman) \d/);
  await workbench.screenshot("graph-live", { docs: [".sidebar .pane", ".part.editor"] });
  await status(workbench, "Wine-CreateModel", "Succeeded");
  await status(workbench, "TooWeak", "Skipped");
  await workbench.finished();
  const rows = await workbench.webview("wine").locator(".timeline .row[role=listitem]").allInnerTexts();
  assert.ok(rows.length >= 3, rows.join());
  await workbench.screenshot("graph-done", { docs: [".sidebar .pane", ".part.editor"] });

  await node(workbench, "Preprocess").focus();
  await page.keyboard.press("ArrowDown");
  const focused = workbench.webview("wine").locator(".node:focus .name");
  assert.equal(await focused.innerText(), "Train");
  await page.keyboard.press("Enter");
  await page.locator("#status\\.editor\\.selection", { hasText: /Ln 65,/ }).waitFor();
}, { prepare: slowTraining, viewport: { width: 1400, height: 860 } });

working.scenario("after an edit a run goes on from the edited step", async (workbench, workspace) => {
  await workbench.openFile("pipeline.py");
  await workbench.openView("StepBridge");
  await workbench.row("GoodEnough").waitFor({ timeout: 60_000 });
  const listed = workbench.page.locator(".sidebar .monaco-list-row", { hasText: /^\s*wine.*(just now|min ago)/ });
  const before = await listed.count();
  await workbench.command("StepBridge: Run Pipeline");
  await workbench.console(/Run \w+: Succeeded/, 150_000);
  await workbench.finished();
  workspace.edit("evaluate.py", 'print(f"accuracy', 'print(f"measured again: accuracy');
  await workbench.inline(workbench.row("Evaluate"), "Rerun from Here");
  await workbench.console("measured again", 150_000);
  await workbench.console(/Run \w+: Succeeded/, 150_000);
  await workbench.finished();
  // two more runs are listed
  await listed.nth(before + 1).waitFor();
  await workbench.screenshot("rerun");
});

scenario("without Docker the message says so and offers local processes", wine, async (workbench) => {
  await workbench.openFile("pipeline.py");
  await workbench.command("StepBridge: Run Pipeline");
  const told = await workbench.notification(/No container engine answers/);
  await told.hover();
  await told.locator(".monaco-button", { hasText: "Use Local Processes This Time" }).waitFor();
  await told.locator(".monaco-button", { hasText: "Try Again" }).waitFor();
  await workbench.status("StepBridge: no engine");
  await workbench.screenshot("no-docker");
  await workbench.hover(workbench.page.locator("#stepbridge\\.stepbridge\\.stepbridge\\.status"), "Look Again");
  await workbench.screenshot("no-docker-tooltip");
  await told.locator(".monaco-button", { hasText: "Use Local Processes This Time" }).click();
  await workbench.console(/Preprocess: started/);
  await workbench.status("Preprocess · local processes");
}, {
  environment: withTool({ DOCKER_HOST: "unix:///nowhere/docker.sock" }),
  settings: { "stepbridge.engine": "docker" },
});
