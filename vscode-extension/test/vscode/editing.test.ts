// What is seen while typing.

import assert from "node:assert/strict";
import { scenario, wine } from "../harness/scenario.ts";

function withTypo(): ReturnType<typeof wine> {
  const workspace = wine();
  workspace.edit("pipeline.py", 'outputs["train"].S3Output', 'outputs["trian"].S3Output');
  return workspace;
}

scenario("a mistake is underlined, explained on hover and mended by a quick fix", withTypo, async (workbench, workspace) => {
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
  await workbench.screenshot("squiggle", { docs: true });

  await page.mouse.down();
  await page.mouse.up();
  await page.keyboard.press("Control+.");
  await page.locator(".action-widget .monaco-list-row", { hasText: /train/ }).first().click();
  await page.locator(".view-line", { hasText: 'outputs["train"].S3Output' }).first().waitFor();
  await squiggle.waitFor({ state: "detached" });
});
