// The item in the status bar: which steps run, what failed, whether the servers live. Click: the menu.

import * as vscode from "vscode";
import type { Tool } from "./locate.ts";
import type { Run } from "../model/run.ts";

export type Server = "language server" | "debug server";
export type ServerState = "starting" | "running" | "stopped" | "failing";

export class Status implements vscode.Disposable {
  readonly #item = vscode.window.createStatusBarItem("stepbridge.status", vscode.StatusBarAlignment.Left, 10);
  readonly #servers = new Map<Server, ServerState>();
  #tool: Tool | undefined;
  #looked = false;
  #runs: readonly Run[] = [];

  constructor() {
    this.#item.name = "StepBridge";
    this.#item.command = "stepbridge.menu";
    this.#draw();
  }

  show(): void {
    this.#item.show();
  }

  dispose(): void {
    this.#item.dispose();
  }

  tool(tool: Tool | undefined): void {
    this.#tool = tool;
    this.#looked = true;
    this.#draw();
  }

  server(server: Server, state: ServerState): void {
    this.#servers.set(server, state);
    this.#draw();
  }

  /** `live`: the runs that this window follows, newest first. */
  runs(live: readonly Run[]): void {
    this.#runs = live;
    this.#draw();
  }

  #draw(): void {
    const { text, severity } = this.#headline();
    this.#item.text = text;
    this.#item.backgroundColor = severity && new vscode.ThemeColor(`statusBarItem.${severity}Background`);
    this.#item.tooltip = this.#tooltip();
  }

  #headline(): { text: string; severity?: "warning" | "error" } {
    const active = this.#runs.filter(({ status }) => status === "Executing" || status === "Stopping");
    const steps = active.flatMap((run) => run.steps.filter(({ status }) => status === "Executing" || status === "Starting"));
    const crashed = active.flatMap((run) => run.steps.filter((step) => step.debugger?.state === "crashed"));
    if (this.#looked && this.#tool === undefined) return { text: "$(warning) StepBridge: not installed", severity: "warning" };
    if ([...this.#servers.values()].includes("failing")) return { text: "$(error) StepBridge", severity: "error" };
    if (crashed.length > 0) return { text: `$(bug) ${names(crashed)} crashed`, severity: "error" };
    if (steps.length > 0) return { text: `$(sync~spin) ${names(steps)}` };
    if (active.length > 0) return { text: `$(sync~spin) ${active[0]?.pipeline ?? ""}` };
    const latest = this.#runs[0];
    if (latest?.status === "Failed") return { text: "$(error) StepBridge" };
    return { text: "$(pass) StepBridge" };
  }

  #tooltip(): vscode.MarkdownString {
    const lines: string[] = [];
    if (this.#tool) lines.push(`**StepBridge** ${this.#tool.version}`, `\`${this.#tool.command}\``);
    else if (this.#looked) lines.push("**StepBridge**: its command-line tool is not installed.");
    for (const [server, state] of this.#servers) lines.push(`${server}: ${state}`);
    if (!vscode.workspace.isTrusted) lines.push("This workspace is not trusted: problems are shown, nothing is run.");
    for (const run of this.#runs.slice(0, 3)) lines.push(`${run.pipeline} (${run.run}): ${run.status}`);
    return new vscode.MarkdownString(lines.join("\n\n"));
  }
}

function names(steps: readonly { readonly name: string }[]): string {
  const shown = steps.slice(0, 2).map(({ name }) => name).join(", ");
  return steps.length > 2 ? `${shown} and ${String(steps.length - 2)} more` : shown;
}
