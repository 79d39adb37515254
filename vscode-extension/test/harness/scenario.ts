// A scenario: a person at a real VS Code, with the real tool and real containers.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { test } from "node:test";
import { repository } from "./server.ts";
import { Workbench, type OpenOptions } from "./workbench.ts";
import { Workspace } from "./workspaces.ts";

/** The environment with this repository's tool first on PATH. */
export function withTool(more: Readonly<Record<string, string | undefined>> = {}): Record<string, string | undefined> {
  return { PATH: [join(repository, ".venv/bin"), process.env.PATH].join(delimiter), VIRTUAL_ENV: undefined, ...more };
}

/** Opens `workspace` and plays `body`; a failure leaves a picture and the extension's log. */
export function scenario(
  name: string,
  workspace: () => Workspace,
  body: (workbench: Workbench, workspace: Workspace) => Promise<void>,
  options: Omit<OpenOptions, "folder"> = {},
): void {
  test(name, { timeout: 400_000 }, async () => {
    const files = workspace();
    let workbench: Workbench | undefined;
    try {
      workbench = await Workbench.open({ environment: withTool(), ...options, folder: files.folder });
      await body(workbench, files);
    } catch (error) {
      if (workbench) {
        const picture = await workbench.screenshot(`failed/${name.replace(/\W+/g, "-")}`);
        console.error(`${name}: see ${picture}\n${extensionLog(workbench.server.logs)}`);
      }
      throw error;
    } finally {
      await workbench?.close();
      files.remove();
    }
  });
}

/** The end of the extension's own log. */
function extensionLog(folder: string): string {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith("StepBridge.log"));
  const files = names.map((file) => join(folder, file)).sort((a, b) => statSync(a).mtimeMs - statSync(b).mtimeMs);
  return files.map((file) => readFileSync(file, "utf8")).join("").split("\n").filter((line) => !line.includes("\\tat ")).slice(-25).join("\n");
}

/** examples/wine on the images of the tests. */
export function wine(): Workspace {
  const workspace = Workspace.example("wine");
  useTestImages(workspace);
  return workspace;
}

/** `folder`: where below the workspace the pipeline lies. */
export function useTestImages(workspace: Workspace, folder = "."): void {
  workspace.write(`${folder}/stepbridge.toml`, '[images]\n"*/sagemaker-scikit-learn:*" = "stepbridge-test/toolkit"\n"*" = "stepbridge-test/python"\n');
}
