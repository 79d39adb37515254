// A scenario: a person at a real VS Code, with the real tool and real containers. Those that need no new window share
// one: opening it costs more than what they do in it.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { after, test } from "node:test";
import { repository } from "./server.ts";
import { Workbench, type OpenOptions } from "./workbench.ts";
import { Workspace } from "./workspaces.ts";

/** The environment with this repository's tool first on PATH. */
export function withTool(more: Readonly<Record<string, string | undefined>> = {}): Record<string, string | undefined> {
  return { PATH: [join(repository, ".venv/bin"), process.env.PATH].join(delimiter), VIRTUAL_ENV: undefined, ...more };
}

type Options = Omit<OpenOptions, "folder">;
type Body = (workbench: Workbench, workspace: Workspace) => Promise<void>;

/** Opens `workspace` in a new window and plays `body`; a failure leaves a picture and the extension's log. */
export function scenario(name: string, workspace: () => Workspace, body: Body, options: Options = {}): void {
  test(name, { timeout: 400_000 }, async () => {
    await SharedWindow.closeAll();
    const window = new SharedWindow(workspace);
    try {
      await window.play(name, () => undefined, body, options);
    } finally {
      await window.close();
    }
  });
}

/** One window for scenarios that follow each other. Each finds the files as they were at first, and a tidy workbench. */
export class SharedWindow {
  static readonly #open = new Set<SharedWindow>();
  readonly #make: () => Workspace;
  #workspace: Workspace | undefined;
  #workbench: Workbench | undefined;

  constructor(make: () => Workspace) {
    this.#make = make;
  }

  static async closeAll(): Promise<void> {
    for (const window of this.#open) await window.close();
  }

  /** A scenario in this window. `prepare`: what its files differ in. */
  scenario(name: string, body: Body, { prepare = () => undefined, viewport }: { prepare?: (workspace: Workspace) => void } & Pick<Options, "viewport"> = {}): void {
    test(name, { timeout: 400_000 }, async () => {
      for (const other of SharedWindow.#open) if (other !== this) await other.close();
      try {
        await this.play(name, prepare, body, viewport ? { viewport } : {});
      } catch (error) {
        await this.close(); // the next scenario finds nothing of this one
        throw error;
      }
    });
  }

  async play(name: string, prepare: (workspace: Workspace) => void, body: Body, options: Options): Promise<void> {
    const used = this.#workbench;
    this.#workspace ??= this.#make();
    if (used) {
      await used.tidy();
      this.#workspace.restore();
    } else {
      this.#workspace.keep();
    }
    prepare(this.#workspace);
    SharedWindow.#open.add(this);
    try {
      if (used) await used.resize(options.viewport);
      else this.#workbench = await Workbench.open({ environment: withTool(), ...options, folder: this.#workspace.folder });
      await body(this.#workbench ?? fail(), this.#workspace);
    } catch (error) {
      if (this.#workbench) {
        const picture = await this.#workbench.screenshot(`failed/${name.replace(/\W+/g, "-")}`);
        console.error(`${name}: see ${picture}\n${extensionLog(this.#workbench.server.logs)}`);
      }
      throw error;
    }
  }

  async close(): Promise<void> {
    SharedWindow.#open.delete(this);
    const [workbench, workspace] = [this.#workbench, this.#workspace];
    this.#workbench = undefined;
    this.#workspace = undefined;
    await workbench?.close();
    workspace?.remove();
  }
}

after(() => SharedWindow.closeAll());

function fail(): never {
  throw new Error("no window is open");
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
