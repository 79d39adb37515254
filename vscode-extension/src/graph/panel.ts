// The panel with the picture of a pipeline: one per pipeline, kept up to date with the source and the latest run.

import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import type { Pipelines } from "../language/pipelines.ts";
import type { Runs } from "../runs/store.ts";
import type { Target } from "../views/targets.ts";
import type { FromPage, ToPage } from "./messages.ts";
import { graphView } from "./view.ts";

export const viewType = "stepbridge.graph";

interface Shown {
  readonly uri: string;
  readonly pipeline: string;
  /** A run of the past that the user asked for; the latest where not given. */
  readonly run?: string;
}

export class GraphPanels implements vscode.WebviewPanelSerializer, vscode.Disposable {
  readonly #extension: vscode.Uri;
  readonly #pipelines: Pipelines;
  readonly #runs: Runs;
  readonly #panels = new Map<string, GraphPanel>();

  constructor(extension: vscode.Uri, pipelines: Pipelines, runs: Runs) {
    this.#extension = extension;
    this.#pipelines = pipelines;
    this.#runs = runs;
  }

  dispose(): void {
    for (const panel of this.#panels.values()) panel.dispose();
  }

  /** Shows a pipeline beside the editor, or brings its panel to the front. */
  show(shown: Shown): void {
    const known = this.#panels.get(key(shown));
    if (known) {
      known.show(shown);
      return;
    }
    const panel = vscode.window.createWebviewPanel(
      viewType, shown.pipeline,
      { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true },
      { retainContextWhenHidden: true },
    );
    this.#adopt(panel, shown);
  }

  deserializeWebviewPanel(panel: vscode.WebviewPanel, state: unknown): Promise<void> {
    this.#adopt(panel, state as Shown);
    return Promise.resolve();
  }

  #adopt(webview: vscode.WebviewPanel, shown: Shown): void {
    const panel = new GraphPanel(webview, this.#extension, this.#pipelines, this.#runs, shown);
    this.#panels.set(key(shown), panel);
    webview.onDidDispose(() => {
      this.#panels.delete(key(shown));
      panel.dispose();
    });
  }
}

function key({ uri, pipeline }: Shown): string {
  return `${uri}#${pipeline}`;
}

class GraphPanel implements vscode.Disposable {
  readonly #panel: vscode.WebviewPanel;
  readonly #pipelines: Pipelines;
  readonly #runs: Runs;
  readonly #subscriptions: vscode.Disposable[];
  #shown: Shown;
  #ready = false;
  #due = false;

  constructor(panel: vscode.WebviewPanel, extension: vscode.Uri, pipelines: Pipelines, runs: Runs, shown: Shown) {
    this.#panel = panel;
    this.#pipelines = pipelines;
    this.#runs = runs;
    this.#shown = shown;
    panel.iconPath = {
      light: vscode.Uri.joinPath(extension, "media/graph-light.svg"),
      dark: vscode.Uri.joinPath(extension, "media/graph-dark.svg"),
    };
    panel.webview.options = { enableScripts: true, localResourceRoots: [vscode.Uri.joinPath(extension, "out")] };
    this.#subscriptions = [
      panel.webview.onDidReceiveMessage((message: FromPage) => { this.#receive(message); }),
      pipelines.onDidChange(() => { this.#draw(); }),
      runs.onDidChange((run) => {
        if (run === undefined || run.pipeline === shown.pipeline) this.#draw();
      }),
    ];
    panel.webview.html = page(panel.webview, extension, shown.pipeline);
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  show(shown: Shown): void {
    this.#shown = shown;
    this.#panel.reveal(undefined, true);
    this.#draw();
  }

  #receive(message: FromPage): void {
    const { uri, pipeline } = this.#shown;
    const target: Target = { uri, pipeline };
    switch (message.type) {
      case "ready":
        this.#ready = true;
        this.#draw();
        break;
      case "source":
        void vscode.commands.executeCommand("stepbridge.goToSource", { ...target, step: message.step });
        break;
      case "run":
      case "debug":
        this.#shown = { uri, pipeline }; // a new run is what the user wants to see now
        void vscode.commands.executeCommand(`stepbridge.${message.type}`, target);
        break;
      case "stop":
        void vscode.commands.executeCommand("stepbridge.stopRun", { ...target, run: this.#runs.latest(pipeline)?.run });
        break;
    }
  }

  /** Several changes of one turn are one message. */
  #draw(): void {
    if (!this.#ready || this.#due) return;
    this.#due = true;
    setImmediate(() => {
      this.#due = false;
      void this.#send();
    });
  }

  async #send(): Promise<void> {
    const { uri, pipeline: name, run: chosen } = this.#shown;
    const model = await this.#pipelines.find(vscode.Uri.parse(uri), name);
    const run = chosen === undefined ? this.#runs.latest(name) : await this.#runs.open(chosen);
    const message: ToPage = { type: "show", view: graphView(uri, name, model, run) };
    await this.#panel.webview.postMessage(message);
  }
}

function page(webview: vscode.Webview, extension: vscode.Uri, title: string): string {
  const nonce = randomBytes(16).toString("base64url");
  const script = webview.asWebviewUri(vscode.Uri.joinPath(extension, "out/graph.js")).toString();
  const style = webview.asWebviewUri(vscode.Uri.joinPath(extension, "out/graph.css")).toString();
  const policy = `default-src 'none'; style-src ${webview.cspSource}; script-src 'nonce-${nonce}'`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${escaped(title)}</title>
<link rel="stylesheet" href="${style}">
</head>
<body data-vscode-context='{"preventDefaultContextMenuItems": true}'>
<script nonce="${nonce}" src="${script}"></script>
</body>
</html>`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${String(character.charCodeAt(0))};`);
}
