// The item in the status bar: the engine, which steps run, what failed, whether the servers live. Click: the menu.
// It is there while something of the window concerns a pipeline.

import * as vscode from "vscode";
import type { Engine } from "../model/engine.ts";
import type { Run } from "../model/run.ts";
import { details, headline, tooltipCommands, type Server, type ServerState, type Standing } from "../model/standing.ts";
import type { Tool } from "./locate.ts";

type Mutable<Value> = { -readonly [Key in keyof Value]: Value[Key] };

export class Status implements vscode.Disposable {
  readonly #item = vscode.window.createStatusBarItem("stepbridge.status", vscode.StatusBarAlignment.Left, 10);
  readonly #servers = new Map<Server, ServerState>();
  readonly #standing: Mutable<Standing> = { servers: this.#servers, runs: [], trusted: vscode.workspace.isTrusted };
  #concerned = false;

  constructor() {
    this.#item.name = "StepBridge";
    this.#item.command = "stepbridge.menu";
    this.#draw();
  }

  dispose(): void {
    this.#item.dispose();
  }

  /** What a person sees; undefined while the item is hidden. */
  get shown(): { readonly text: string; readonly tooltip: string } | undefined {
    return this.#concerned ? { text: this.#item.text, tooltip: details(this.#standing) } : undefined;
  }

  /** Shows the item where the window holds a pipeline, else hides it. */
  concern(concerned: boolean): void {
    if (concerned === this.#concerned) return;
    this.#concerned = concerned;
    if (concerned) this.#item.show();
    else this.#item.hide();
  }

  tool(tool: Tool | undefined): void {
    this.#standing.tool = tool ?? null;
    this.#draw();
  }

  engine(engine: Engine | undefined): void {
    if (engine) this.#standing.engine = engine;
    else delete this.#standing.engine;
    this.#draw();
  }

  server(server: Server, state: ServerState): void {
    this.#servers.set(server, state);
    this.#draw();
  }

  /** `live`: the runs that this window follows, newest first. */
  runs(live: readonly Run[]): void {
    this.#standing.runs = live;
    this.#draw();
  }

  #draw(): void {
    this.#standing.trusted = vscode.workspace.isTrusted;
    const { text, severity } = headline(this.#standing);
    this.#item.text = text;
    this.#item.backgroundColor = severity && new vscode.ThemeColor(`statusBarItem.${severity}Background`);
    const tooltip = new vscode.MarkdownString(details(this.#standing), true);
    tooltip.isTrusted = { enabledCommands: tooltipCommands };
    this.#item.tooltip = tooltip;
  }
}
