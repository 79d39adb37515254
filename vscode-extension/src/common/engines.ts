// What runs the steps here, asked of the tool: when the tool or a setting changes, after a run, and when the user
// comes back to the window, who may have started Docker meanwhile.

import * as vscode from "vscode";
import { engineOf, type Engine } from "../model/engine.ts";
import type { Log } from "./log.ts";
import { CommandError, stdout } from "./run.ts";
import { settings } from "./settings.ts";
import type { ToolFinder } from "./tool.ts";

const fresh = 30_000; // milliseconds for which an answer is not asked again when the window gets the focus
const patience = 20_000;

export class Engines implements vscode.Disposable {
  readonly #tools: ToolFinder;
  readonly #log: Log;
  readonly #changed = new vscode.EventEmitter<Engine | undefined>();
  readonly #subscriptions: vscode.Disposable[];
  #asking: Promise<void> | undefined;
  #stale = false;
  #asked = 0;

  readonly onDidChange = this.#changed.event;

  constructor(tools: ToolFinder, log: Log) {
    this.#tools = tools;
    this.#log = log;
    const written = vscode.workspace.createFileSystemWatcher("**/{stepbridge,pyproject}.toml");
    const look = (): void => { void this.look(); };
    this.#subscriptions = [
      this.#changed, written, written.onDidCreate(look), written.onDidChange(look), written.onDidDelete(look),
      tools.onDidChange(look), vscode.workspace.onDidGrantWorkspaceTrust(look),
      vscode.workspace.onDidChangeConfiguration((event) => { if (event.affectsConfiguration("stepbridge.engine")) look(); }),
      vscode.window.onDidChangeWindowState(({ focused }) => { if (focused && Date.now() - this.#asked > fresh) look(); }),
    ];
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  /** Asks again, where there is a tool and it may run. Calls that come meanwhile lead to one more question. */
  async look(): Promise<void> {
    if (this.#tools.current === undefined || !vscode.workspace.isTrusted) return;
    if (this.#asking) {
      this.#stale = true;
      return this.#asking;
    }
    this.#asking = this.#ask(this.#tools.current.command).finally(() => { this.#asking = undefined; });
    await this.#asking;
    if (this.#stale) {
      this.#stale = false;
      await this.look();
    }
  }

  async #ask(command: string): Promise<void> {
    const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
    const { engine } = settings(folder);
    const asked = engine === "auto" ? [] : ["--engine", engine];
    this.#asked = Date.now();
    try {
      const report = await stdout(command, ["doctor", "engine", "--json", ...asked], { timeout: patience, ...(folder ? { cwd: folder.fsPath } : {}) })
        .catch((error: unknown) => {
          if (error instanceof CommandError && error.stdout) return error.stdout; // it exits with 1 where something is missing
          throw error;
        });
      this.#changed.fire(engineOf(report));
    } catch (error) {
      this.#log.channel.warn(`What runs the steps is not known: ${error instanceof Error ? error.message : String(error)}`);
      this.#changed.fire(undefined);
    }
  }
}
