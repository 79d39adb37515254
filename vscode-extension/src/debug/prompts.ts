// Asks for pipeline parameters: by type, with enums, defaults and the values that were used last.

import * as vscode from "vscode";
import { complaint, missing, overrides, parseValue, proposal, typed, type ParameterValues } from "../model/parameters.ts";
import type { ParameterModel, ParameterValue, PipelineModel } from "../model/pipeline.ts";

export class ParameterPrompts {
  readonly #memory: vscode.Memento;

  constructor(memory: vscode.Memento) {
    this.#memory = memory;
  }

  last(pipeline: string): ParameterValues {
    return this.#memory.get<ParameterValues>(`parameters/${pipeline}`, {});
  }

  async remember(pipeline: string, values: ParameterValues): Promise<void> {
    await this.#memory.update(`parameters/${pipeline}`, { ...this.last(pipeline), ...values });
  }

  /** Asks for those without a default that `given` lacks. Returns `given` and the answers; undefined on Escape. */
  async required(pipeline: PipelineModel, given: ParameterValues): Promise<ParameterValues | undefined> {
    const answers: Record<string, ParameterValue> = { ...typed(pipeline.parameters, given) };
    for (const parameter of missing(pipeline.parameters, given)) {
      const value = await this.#ask(pipeline, parameter, proposal(parameter, this.last(pipeline.name)));
      if (value === undefined) return undefined;
      answers[parameter.name] = value;
    }
    await this.remember(pipeline.name, answers);
    return answers;
  }

  /** Shows all parameters, to change any of them; starts from the last values. Undefined on Escape. */
  async form(pipeline: PipelineModel): Promise<ParameterValues | undefined> {
    const last = this.last(pipeline.name);
    const values: Record<string, ParameterValue> = {};
    for (const parameter of pipeline.parameters) {
      const value = proposal(parameter, last);
      if (value !== undefined) values[parameter.name] = value;
    }
    for (;;) {
      const choice = await this.#choose(pipeline, values);
      if (choice === undefined) return undefined;
      if (choice === "start") break;
      if (choice === "defaults") {
        for (const { name, default: value } of pipeline.parameters) if (value !== undefined && value !== null) values[name] = value;
        continue;
      }
      const value = await this.#ask(pipeline, choice, values[choice.name]);
      if (value !== undefined) values[choice.name] = value;
    }
    const complete = await this.required(pipeline, values);
    return complete && overrides(pipeline.parameters, complete);
  }

  async #choose(pipeline: PipelineModel, values: ParameterValues): Promise<ParameterModel | "start" | "defaults" | undefined> {
    type Item = vscode.QuickPickItem & { readonly choice: ParameterModel | "start" | "defaults" };
    const rows = pipeline.parameters.map((parameter): Item => {
      const value = values[parameter.name];
      const changed = value !== undefined && value !== parameter.default;
      return {
        label: `$(symbol-${icon(parameter)}) ${parameter.name}`,
        description: value === undefined ? "no value yet" : String(value),
        detail: `${parameter.type ?? ""}${changed && parameter.default !== undefined && parameter.default !== null ? `, default ${String(parameter.default)}` : ""}`,
        choice: parameter,
      };
    });
    const items: Item[] = [
      { label: "$(play) Start", description: "with these values", choice: "start" },
      { label: "$(discard) Back to the defaults", choice: "defaults" },
      ...rows,
    ];
    const picked = await vscode.window.showQuickPick(items, {
      title: `Parameters of ${pipeline.name}`,
      placeHolder: "Choose a parameter to change it, or start",
      ignoreFocusOut: true,
    });
    return picked?.choice;
  }

  async #ask(pipeline: PipelineModel, parameter: ParameterModel, value: ParameterValue | undefined): Promise<ParameterValue | undefined> {
    const title = `${pipeline.name}: ${parameter.name} (${parameter.type ?? "any type"})`;
    const options = parameter.type === "Boolean" ? ["true", "false"] : parameter.enum;
    if (options?.length) {
      const items = options.map((label) => ({ label, description: describe(label, value, parameter) }));
      const picked = await vscode.window.showQuickPick(items, { title, ignoreFocusOut: true });
      return picked && parseValue(parameter, picked.label);
    }
    const text = await vscode.window.showInputBox({
      title,
      value: value === undefined ? "" : String(value),
      prompt: parameter.default === undefined || parameter.default === null ? "This parameter has no default." : `Default: ${String(parameter.default)}`,
      ignoreFocusOut: true,
      validateInput: (answer) => complaint(parameter, answer),
    });
    return text === undefined ? undefined : parseValue(parameter, text);
  }
}

function describe(label: string, value: ParameterValue | undefined, parameter: ParameterModel): string {
  const words = [];
  if (label === String(value)) words.push("current");
  if (label === String(parameter.default)) words.push("default");
  return words.join(", ");
}

function icon(parameter: ParameterModel): string {
  if (parameter.enum?.length) return "enum";
  return parameter.type === "String" ? "string" : parameter.type === "Boolean" ? "boolean" : "number";
}
