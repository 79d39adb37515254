// The `stepbridge` command that everything uses: found once, looked for again when a setting, the selected
// environment or the trust in the workspace changes; installed after consent.

import { access, constants } from "node:fs/promises";
import * as vscode from "vscode";
import { bundledWheel, install, privateEnvironment, suitablePython } from "./install.ts";
import type { Log } from "./log.ts";
import { locate, type Located, type Tool } from "./locate.ts";
import * as python from "./python.ts";
import { stdout } from "./run.ts";
import { settings } from "./settings.ts";

const oldestTool = "0.1.0";

export class ToolFinder implements vscode.Disposable {
  readonly #context: vscode.ExtensionContext;
  readonly #log: Log;
  readonly #changed = new vscode.EventEmitter<Tool | undefined>();
  readonly #subscriptions: vscode.Disposable[] = [this.#changed];
  #search: Promise<Located> | undefined;
  #found: Tool | undefined;
  #offered = false;

  /** Fires when another command, or none, is found. */
  readonly onDidChange = this.#changed.event;

  constructor(context: vscode.ExtensionContext, log: Log) {
    this.#context = context;
    this.#log = log;
    this.#subscriptions.push(
      vscode.workspace.onDidChangeConfiguration((event) => {
        if (event.affectsConfiguration("stepbridge.path")) void this.again();
      }),
      vscode.workspace.onDidGrantWorkspaceTrust(() => this.again()),
    );
    if (vscode.workspace.isTrusted) this.#followSelection();
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  get current(): Tool | undefined {
    return this.#found;
  }

  /** The command; undefined where none is installed. */
  async find(): Promise<Tool | undefined> {
    this.#search ??= this.#locate();
    return (await this.#search).tool;
  }

  /** The command; asks the user to install it where there is none. */
  async need(): Promise<Tool | undefined> {
    return (await this.find()) ?? (await this.offer(true));
  }

  async again(): Promise<Tool | undefined> {
    this.#search = undefined;
    return this.find();
  }

  /** Says that there is no command and offers to install it; asked once by itself, always when `insist`. */
  async offer(insist = false): Promise<Tool | undefined> {
    if (this.#offered && !insist) return undefined;
    this.#offered = true;
    const refused = (await this.#search)?.refused ?? [];
    const wrong = refused.length > 0 ? ` ${refused.join(" ")}` : "";
    const choice = await vscode.window.showInformationMessage(
      `StepBridge needs its command-line tool.${wrong} Install it into a private environment of this extension? Your own environments stay as they are.`,
      "Install", "Choose an Existing One", "Not Now",
    );
    if (choice === "Choose an Existing One") {
      await vscode.commands.executeCommand("workbench.action.openSettings", "stepbridge.path");
      return undefined;
    }
    return choice === "Install" ? this.install() : undefined;
  }

  /** Makes (again) the extension's own environment. */
  async install(): Promise<Tool | undefined> {
    const wheel = await bundledWheel(this.#context);
    const base = await suitablePython(vscode.workspace.isTrusted ? await python.interpreter() : undefined);
    if (wheel === undefined || base === undefined) {
      void vscode.window.showErrorMessage(
        wheel === undefined
          ? "This copy of the extension holds no wheel. Install the tool with `pip install stepbridge`, or set stepbridge.path."
          : "StepBridge needs Python 3.11 or newer to run (your steps may use any version). Install it, then run “StepBridge: Install or Repair the Tool”.",
      );
      return undefined;
    }
    try {
      await install(this.#context, this.#log, base, wheel);
    } catch (error) {
      this.#log.channel.error("The private environment could not be made.", error instanceof Error ? error : String(error));
      const message = error instanceof Error ? (error.message.split("\n").at(-1) ?? "") : String(error);
      const choice = await vscode.window.showErrorMessage(`StepBridge could not be installed: ${message}`, "Show Log");
      if (choice) this.#log.channel.show();
      return undefined;
    }
    return this.again();
  }

  async #locate(): Promise<Located> {
    const trusted = vscode.workspace.isTrusted;
    const located = await locate(
      {
        setting: settings().path,
        environments: trusted ? await python.environments() : [],
        path: process.env.PATH ?? "",
        privateEnvironment: privateEnvironment(this.#context),
        workspaceFolders: (vscode.workspace.workspaceFolders ?? []).map(({ uri }) => uri.fsPath),
        trusted,
      },
      {
        exists: (command) => access(command, constants.X_OK).then(() => true, () => false),
        version: (command) => stdout(command, ["--version"], { timeout: 30_000 }),
      },
      oldestTool,
    );
    for (const line of located.refused) this.#log.channel.warn(line);
    const { tool } = located;
    if (tool) this.#log.channel.info(`Using ${tool.command} ${tool.version} (${tool.origin}).`);
    else this.#log.channel.warn("No stepbridge command was found.");
    if (tool?.command !== this.#found?.command || tool?.version !== this.#found?.version) {
      this.#found = tool;
      this.#changed.fire(tool);
    }
    return located;
  }

  #followSelection(): void {
    void python.onDidSelect(() => void this.again()).then((subscription) => {
      if (subscription) this.#subscriptions.push(subscription);
    });
  }
}
