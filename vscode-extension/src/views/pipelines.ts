// The tree of pipelines: steps in their order, parameters, and what goes in and out, with the state of the last run.

import * as vscode from "vscode";
import type { Located, Pipelines } from "../language/pipelines.ts";
import { portName, type ParameterModel, type StepModel } from "../model/pipeline.ts";
import { ended } from "../model/events.ts";
import type { Run, StepRun } from "../model/run.ts";
import type { Runs } from "../runs/store.ts";
import { kindIcon, statusIcon, stepWords } from "./look.ts";
import { TargetItem } from "./targets.ts";

type Node =
  | { readonly kind: "pipeline"; readonly located: Located }
  | { readonly kind: "parameters"; readonly located: Located }
  | { readonly kind: "parameter"; readonly located: Located; readonly parameter: ParameterModel }
  | { readonly kind: "step"; readonly located: Located; readonly step: StepModel }
  | { readonly kind: "port"; readonly located: Located; readonly step: StepModel; readonly name: string; readonly output: boolean };

export class PipelinesView implements vscode.TreeDataProvider<Node>, vscode.Disposable {
  readonly #pipelines: Pipelines;
  readonly #runs: Runs;
  readonly #changed = new vscode.EventEmitter<undefined>();
  readonly #subscriptions: vscode.Disposable[];

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(pipelines: Pipelines, runs: Runs) {
    this.#pipelines = pipelines;
    this.#runs = runs;
    this.#subscriptions = [
      this.#changed,
      pipelines.onDidChange(() => { this.#changed.fire(undefined); }),
      runs.onDidChange(() => { this.#changed.fire(undefined); }),
    ];
  }

  dispose(): void {
    vscode.Disposable.from(...this.#subscriptions).dispose();
  }

  async getChildren(node?: Node): Promise<Node[]> {
    if (node === undefined) return (await this.#pipelines.all()).map((located) => ({ kind: "pipeline", located }));
    const { located } = node;
    const { pipeline } = located;
    switch (node.kind) {
      case "pipeline":
        return [
          ...(pipeline.parameters.length > 0 ? [{ kind: "parameters", located } as const] : []),
          ...pipeline.steps.map((step) => ({ kind: "step", located, step }) as const),
        ];
      case "parameters":
        return pipeline.parameters.map((parameter) => ({ kind: "parameter", located, parameter }));
      case "step":
        return [
          ...node.step.inputs.map((port) => ({ kind: "port", located, step: node.step, name: portName(port), output: false }) as const),
          ...node.step.outputs.map((port) => ({ kind: "port", located, step: node.step, name: portName(port), output: true }) as const),
        ];
      default:
        return [];
    }
  }

  getTreeItem(node: Node): vscode.TreeItem {
    const { located } = node;
    const target = { uri: located.uri.toString(), pipeline: located.pipeline.name };
    const run = this.#runs.latest(located.pipeline.name);
    switch (node.kind) {
      case "pipeline":
        return pipelineItem(located, run);
      case "parameters": {
        const item = new vscode.TreeItem("Parameters", vscode.TreeItemCollapsibleState.Collapsed);
        item.id = `${idOf(located)}/parameters`;
        item.iconPath = new vscode.ThemeIcon("symbol-parameter");
        item.description = String(located.pipeline.parameters.length);
        return item;
      }
      case "parameter":
        return parameterItem(located, node.parameter);
      case "step":
        return stepItem(located, node.step, run?.steps.find(({ name }) => name === node.step.name), run);
      case "port": {
        const uri = node.output ? run?.steps.find(({ name }) => name === node.step.name)?.outputs[node.name] : undefined;
        const item = new TargetItem(node.name, vscode.TreeItemCollapsibleState.None, {
          ...target, step: node.step.name, output: node.name, ...(run ? { run: run.run } : {}),
        });
        item.iconPath = new vscode.ThemeIcon(node.output ? "arrow-right" : "arrow-left");
        item.description = node.output ? "output" : "input";
        item.contextValue = uri ? "output.present" : node.output ? "output" : "input";
        if (uri) item.tooltip = uri;
        return item;
      }
    }
  }
}

function idOf({ uri, pipeline }: Located): string {
  return `${uri.toString()}#${pipeline.name}`;
}

function pipelineItem(located: Located, run: Run | undefined): vscode.TreeItem {
  const item = new TargetItem(located.pipeline.name, vscode.TreeItemCollapsibleState.Expanded, {
    uri: located.uri.toString(), pipeline: located.pipeline.name,
  });
  item.id = idOf(located);
  item.iconPath = run && !ended(run.status) ? statusIcon(run.status) : new vscode.ThemeIcon("type-hierarchy-sub");
  item.description = vscode.workspace.asRelativePath(located.uri);
  item.contextValue = run && !ended(run.status) ? "pipeline.running" : "pipeline";
  item.command = source(located.uri, located.pipeline.range.start);
  return item;
}

function parameterItem(located: Located, parameter: ParameterModel): vscode.TreeItem {
  const item = new vscode.TreeItem(parameter.name, vscode.TreeItemCollapsibleState.None);
  const none = parameter.default === undefined || parameter.default === null;
  const type = parameter.type ?? "?";
  item.description = none ? `${type}, no default` : `${type} = ${String(parameter.default)}`;
  if (parameter.enum?.length) item.tooltip = `One of ${parameter.enum.join(", ")}`;
  item.iconPath = new vscode.ThemeIcon("symbol-constant");
  item.command = source(located.uri, parameter.range.start);
  return item;
}

function stepItem(located: Located, step: StepModel, state: StepRun | undefined, run: Run | undefined): vscode.TreeItem {
  const ports = step.inputs.length + step.outputs.length > 0;
  const item = new TargetItem(step.name, ports ? vscode.TreeItemCollapsibleState.Collapsed : vscode.TreeItemCollapsibleState.None, {
    uri: located.uri.toString(), pipeline: located.pipeline.name, step: step.name, ...(run ? { run: run.run } : {}),
  });
  item.id = `${idOf(located)}/${step.name}`;
  item.iconPath = state && state.status !== "Waiting" ? statusIcon(state.status) : kindIcon(step.kind);
  const branch = step.branch ? `, if ${step.branch[0]} is ${step.branch[1] ? "true" : "false"}` : "";
  item.description = state && state.status !== "Waiting" ? `${step.kind}, ${stepWords(state)}` : step.kind + branch;
  item.contextValue = `step.${stateWord(state)}${step.script ? ".script" : ""}`;
  item.command = source(located.uri, step.nameRange.start);
  if (state?.failure) item.tooltip = state.failure;
  return item;
}

function stateWord(state: StepRun | undefined): string {
  if (state === undefined || state.status === "Waiting" || state.status === "Skipped") return "idle";
  if (state.debugger?.state === "crashed" && !ended(state.status)) return "crashed";
  if (!ended(state.status)) return "running";
  return state.status === "Failed" ? "failed" : "ended";
}

export function source(uri: vscode.Uri, start: { readonly line: number; readonly character: number }): vscode.Command {
  const selection = new vscode.Range(start.line, start.character, start.line, start.character);
  return { title: "Go to Source", command: "vscode.open", arguments: [uri, { selection, preserveFocus: true } satisfies vscode.TextDocumentShowOptions] };
}
