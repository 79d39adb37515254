// The tree of runs: newest first, with their steps and outputs.

import * as vscode from "vscode";
import { ended } from "../model/events.ts";
import { ago, duration } from "../model/duration.ts";
import { reason, type Run, type StepRun } from "../model/run.ts";
import type { ListedRun, Runs } from "../runs/store.ts";
import { statusIcon, stepWords } from "./look.ts";
import type { Target, Targeted } from "./targets.ts";

type Shown = Run | ListedRun;
export type RunNode = Targeted & (
  | { readonly kind: "run"; readonly run: Shown }
  | { readonly kind: "step"; readonly run: Run; readonly step: StepRun }
  | { readonly kind: "output"; readonly run: Run; readonly step: StepRun; readonly name: string; readonly uri: string }
);

export class RunsView implements vscode.TreeDataProvider<RunNode>, vscode.Disposable {
  readonly #runs: Runs;
  readonly #changed = new vscode.EventEmitter<undefined>();
  readonly #subscriptions: vscode.Disposable[];

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(runs: Runs) {
    this.#runs = runs;
    this.#subscriptions = [this.#changed, runs.onDidChange(() => { this.#changed.fire(undefined); })];
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  async getChildren(node?: RunNode): Promise<RunNode[]> {
    if (node === undefined) return this.#all().map((run) => ({ kind: "run", run, target: targetOfRun(run) }));
    if (node.kind === "run") {
      const run = await this.#runs.open(node.run.run);
      return run ? run.steps.map((step) => ({ kind: "step", run, step, target: { ...node.target, step: step.name } })) : [];
    }
    if (node.kind === "step") {
      return Object.entries(node.step.outputs).map(([name, uri]) => ({
        kind: "output", run: node.run, step: node.step, name, uri, target: { ...node.target, output: name },
      }));
    }
    return [];
  }

  getTreeItem(node: RunNode): vscode.TreeItem {
    switch (node.kind) {
      case "run":
        return runItem(this.#runs.known(node.run.run) ?? node.run);
      case "step":
        return stepItem(node.run, node.step);
      case "output": {
        const item = new vscode.TreeItem(node.name, vscode.TreeItemCollapsibleState.None);
        item.description = node.uri;
        item.tooltip = node.uri;
        item.iconPath = new vscode.ThemeIcon("file-symlink-directory");
        item.contextValue = "output.present";
        item.command = { title: "Open Output", command: "stepbridge.openOutput", arguments: [node.target] };
        return item;
      }
    }
  }

  /** Live runs that the journal does not list yet, then the journal. */
  #all(): Shown[] {
    const listed = new Set(this.#runs.list.map(({ run }) => run));
    return [...this.#runs.live.filter(({ run }) => !listed.has(run)), ...this.#runs.list];
  }
}

function targetOfRun(run: Shown): Target {
  return { run: run.run, pipeline: run.pipeline, ...(run.program ? { uri: vscode.Uri.file(run.program).toString() } : {}) };
}

function runItem(run: Shown): vscode.TreeItem {
  const item = new vscode.TreeItem(run.pipeline, vscode.TreeItemCollapsibleState.Collapsed);
  item.id = run.run;
  item.iconPath = statusIcon(run.status);
  const length = typeof run.seconds === "number" ? duration(run.seconds) : run.status.toLowerCase();
  item.description = `${length}, ${ago(run.started, Date.now() / 1000)}`;
  item.contextValue = ended(run.status) ? "run.ended" : "run.running";
  item.tooltip = tooltip(run);
  return item;
}

function tooltip(run: Shown): vscode.MarkdownString {
  const parameters = Object.entries(run.parameters ?? {}).map(([name, value]) => `- ${name}: \`${String(value)}\``);
  const text = new vscode.MarkdownString(`**${run.pipeline}** ${run.run}\n\n${run.status}, started ${new Date(run.started * 1000).toLocaleString()}\n\n`);
  if (run.failure) text.appendText(`${reason(run.failure)}\n\n`);
  return text.appendMarkdown(parameters.join("\n"));
}

function stepItem(run: Run, step: StepRun): vscode.TreeItem {
  const outputs = Object.keys(step.outputs).length > 0;
  const item = new vscode.TreeItem(step.name, outputs ? vscode.TreeItemCollapsibleState.Collapsed : vscode.TreeItemCollapsibleState.None);
  item.id = `${run.run}/${step.name}`;
  item.iconPath = statusIcon(step.status);
  item.description = stepWords(step);
  item.contextValue = ended(step.status) ? "run-step.ended" : step.status === "Waiting" ? "run-step.waiting" : "run-step.running";
  if (step.failure) item.tooltip = step.failure;
  return item;
}
