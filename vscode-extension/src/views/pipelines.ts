// The tree of pipelines: steps in their order, parameters, and what goes in and out, with the state of the last run.

import * as vscode from "vscode";
import type { Located, Pipelines } from "../language/pipelines.ts";
import { portName, type ParameterModel, type StepModel } from "../model/pipeline.ts";
import { duration } from "../model/duration.ts";
import { ended } from "../model/events.ts";
import type { Run, StepRun } from "../model/run.ts";
import type { Runs } from "../runs/store.ts";
import { kindIcon, statusIcon, stepWords } from "./look.ts";
import type { Target, Targeted } from "./targets.ts";

type Node = Targeted & (
  | { readonly kind: "pipeline"; readonly located: Located }
  | { readonly kind: "parameters"; readonly located: Located }
  | { readonly kind: "parameter"; readonly located: Located; readonly parameter: ParameterModel }
  | { readonly kind: "step"; readonly located: Located; readonly step: StepModel }
  | { readonly kind: "port"; readonly located: Located; readonly step: StepModel; readonly name: string; readonly output: boolean }
);

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
    if (node === undefined) {
      return (await this.#pipelines.all()).map((located) => ({ kind: "pipeline", located, target: this.#target(located) }));
    }
    const { located } = node;
    const { pipeline } = located;
    const target = this.#target(located);
    switch (node.kind) {
      case "pipeline":
        return [
          ...(pipeline.parameters.length > 0 ? [{ kind: "parameters", located, target } as const] : []),
          ...pipeline.steps.map((step) => ({ kind: "step", located, step, target: { ...target, step: step.name } }) as const),
        ];
      case "parameters":
        return pipeline.parameters.map((parameter) => ({ kind: "parameter", located, parameter, target }));
      case "step": {
        const port = (name: string, output: boolean): Node =>
          ({ kind: "port", located, step: node.step, name, output, target: { ...target, step: node.step.name, output: name } });
        return [
          ...node.step.inputs.map((one) => port(portName(one), false)),
          ...node.step.outputs.map((one) => port(portName(one), true)),
        ];
      }
      default:
        return [];
    }
  }

  #target({ uri, pipeline }: Located): Target {
    const run = this.#runs.latest(pipeline.name);
    return { uri: uri.toString(), pipeline: pipeline.name, ...(run ? { run: run.run } : {}) };
  }

  getTreeItem(node: Node): vscode.TreeItem {
    const { located } = node;
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
        return stepItem(located, node.step, run?.steps.find(({ name }) => name === node.step.name));
      case "port": {
        const uri = node.output ? run?.steps.find(({ name }) => name === node.step.name)?.outputs[node.name] : undefined;
        const item = new vscode.TreeItem(node.name, vscode.TreeItemCollapsibleState.None);
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
  const item = new vscode.TreeItem(located.pipeline.name, vscode.TreeItemCollapsibleState.Expanded);
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

function stepItem(located: Located, step: StepModel, state: StepRun | undefined): vscode.TreeItem {
  const ports = step.inputs.length + step.outputs.length > 0;
  const item = new vscode.TreeItem(step.name, ports ? vscode.TreeItemCollapsibleState.Collapsed : vscode.TreeItemCollapsibleState.None);
  item.id = `${idOf(located)}/${step.name}`;
  item.iconPath = state && state.status !== "Waiting" ? statusIcon(state.status) : kindIcon(step.kind);
  const branch = step.branch ? `, if ${step.branch[1] ? "" : "not "}${step.branch[0]}` : "";
  const began = state !== undefined && state.status !== "Waiting";
  // the icon says that it succeeded, the narrow row how long that took
  const brief = began && state.status === "Succeeded" && !state.cached && !state.outcome && state.seconds !== undefined ? duration(state.seconds) : began ? stepWords(state) : "";
  item.description = began ? `${step.kind}, ${brief}` : step.kind + branch;
  item.tooltip = `${step.name}: ${step.kind}${began ? `, ${stepWords(state)}` : branch}`;
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
