// From F5 to a complete configuration: without a launch.json, from one, or from a command.

import { basename, isAbsolute, join } from "node:path";
import * as vscode from "vscode";
import { looksLikePipeline } from "../common/detect.ts";
import * as python from "../common/python.ts";
import { settings } from "../common/settings.ts";
import type { Located, Pipelines } from "../language/pipelines.ts";
import type { ParameterValues } from "../model/parameters.ts";
import type { Bridge } from "./bridge.ts";
import {
  completed, debugType, fileOf, isChild, launchName, programOf, type AttachConfiguration, type LaunchConfiguration,
} from "./launch.ts";
import type { ParameterPrompts } from "./prompts.ts";

export class Configurations implements vscode.DebugConfigurationProvider {
  readonly #pipelines: Pipelines;
  readonly #bridge: Bridge;
  readonly #prompts: ParameterPrompts;
  readonly #pickStep: (execution?: string) => Promise<{ execution: string; step: string } | undefined>;

  constructor(pipelines: Pipelines, bridge: Bridge, prompts: ParameterPrompts, pickStep: (execution?: string) => Promise<{ execution: string; step: string } | undefined>) {
    this.#pipelines = pipelines;
    this.#bridge = bridge;
    this.#prompts = prompts;
    this.#pickStep = pickStep;
  }

  /** One configuration per pipeline of the folder: for a new launch.json and for the list of dynamic ones. */
  async provideDebugConfigurations(folder: vscode.WorkspaceFolder | undefined): Promise<vscode.DebugConfiguration[]> {
    const all = await this.#pipelines.all();
    return all
      .filter(({ uri }) => folder === undefined || vscode.workspace.getWorkspaceFolder(uri)?.uri.toString() === folder.uri.toString())
      .map(({ uri, pipeline }) => {
        const path = folder ? `\${workspaceFolder}/${vscode.workspace.asRelativePath(uri, false)}` : uri.fsPath;
        return { type: debugType, request: "launch", name: `Pipeline ${pipeline.name}`, program: programOf(path, pipeline, several(all, uri)) };
      });
  }

  async resolveDebugConfiguration(
    _folder: vscode.WorkspaceFolder | undefined, configuration: vscode.DebugConfiguration,
  ): Promise<vscode.DebugConfiguration | undefined> {
    if (configuration.type || configuration.request || configuration.name) return configuration;
    const launch = await this.fromEditor();
    return launch && configuration.noDebug === true ? { ...launch, noDebug: true } : launch;
  }

  async resolveDebugConfigurationWithSubstitutedVariables(
    folder: vscode.WorkspaceFolder | undefined, configuration: vscode.DebugConfiguration,
  ): Promise<vscode.DebugConfiguration | undefined> {
    if (isChild(configuration)) return configuration;
    const asked = configuration.request === "attach"
      ? await this.#attach(configuration as unknown as AttachConfiguration)
      : await this.#launch(folder, configuration as unknown as LaunchConfiguration);
    if (asked === undefined) return undefined;
    const resource = folder?.uri;
    const { engine, debugAtCrash, python: chosen } = settings(resource);
    const { token } = await this.#bridge.listening();
    return completed(asked, {
      engine,
      python: chosen || (await python.interpreter(resource)),
      postMortem: debugAtCrash,
      token,
    });
  }

  /** The launch of a pipeline, or of some of its steps. */
  launch({ uri, pipeline }: Located, more: Partial<LaunchConfiguration> = {}): LaunchConfiguration {
    return {
      type: debugType,
      request: "launch",
      name: launchName(pipeline.name, more),
      program: programOf(uri.fsPath, pipeline, several(this.#pipelines.known(), uri)),
      ...more,
    };
  }

  async #launch(folder: vscode.WorkspaceFolder | undefined, configuration: LaunchConfiguration): Promise<LaunchConfiguration | undefined> {
    if (!configuration.program) {
      const found = await this.fromEditor();
      return found && this.#launch(folder, { ...configuration, program: found.program });
    }
    const root = folder?.uri.fsPath;
    const program = root && !isAbsolute(configuration.program) ? join(root, configuration.program) : configuration.program;
    const parameters = await this.#parameters(program, configuration.parameters);
    return parameters && { ...configuration, program, parameters };
  }

  async #parameters(program: string, wanted: LaunchConfiguration["parameters"]): Promise<ParameterValues | undefined> {
    const pipelines = await this.#pipelines.of(vscode.Uri.file(fileOf(program)));
    const name = /:([A-Za-z_]\w*)$/.exec(program)?.[1];
    const pipeline = pipelines.find((one) => name !== undefined && (one.function === name || one.variable === name)) ?? pipelines[0];
    if (pipeline === undefined) return typeof wanted === "object" ? wanted : {}; // the server knows what the program makes
    if (wanted === "ask") return this.#prompts.form(pipeline);
    const known = new Set(pipeline.parameters.map((parameter) => parameter.name));
    const given = wanted === "last"
      ? Object.fromEntries(Object.entries(this.#prompts.last(pipeline.name)).filter(([parameter]) => known.has(parameter)))
      : wanted ?? {};
    return this.#prompts.required(pipeline, given);
  }

  async #attach(configuration: AttachConfiguration): Promise<AttachConfiguration | undefined> {
    if (configuration.step) return { ...configuration, execution: configuration.execution || "latest" };
    const picked = await this.#pickStep(configuration.execution === "latest" ? undefined : configuration.execution);
    return picked && { ...configuration, ...picked, name: `Attach to ${picked.step}` };
  }

  /** The pipeline that the active editor shows, or that runs the script it shows; else the user chooses. */
  async fromEditor(): Promise<LaunchConfiguration | undefined> {
    const document = vscode.window.activeTextEditor?.document;
    const all = await this.#pipelines.all();
    const candidates = document ? mentioned(all, document.uri) : [];
    if (candidates.length === 0 && document && looksLikePipeline(document.languageId, document.getText())) {
      // the language server does not know it (yet); the program itself will tell
      return { type: debugType, request: "launch", name: basename(document.uri.fsPath), program: document.uri.fsPath };
    }
    const chosen = await this.choose(candidates.length > 0 ? candidates : all);
    return chosen && this.launch(chosen);
  }

  async choose(from: readonly Located[]): Promise<Located | undefined> {
    if (from.length === 0) {
      void vscode.window.showInformationMessage("No SageMaker pipeline was found in this workspace. Open the program that builds one, or create a sample project.", "Create Sample Project")
        .then((choice) => choice && vscode.commands.executeCommand("stepbridge.createSample"));
      return undefined;
    }
    if (from.length === 1) return from[0];
    const items = from.map((located) => ({
      label: located.pipeline.name,
      description: vscode.workspace.asRelativePath(located.uri),
      located,
    }));
    return (await vscode.window.showQuickPick(items, { title: "Which pipeline?" }))?.located;
  }
}

function several(all: readonly Located[], uri: vscode.Uri): boolean {
  return all.filter((one) => one.uri.toString() === uri.toString()).length > 1;
}

function mentioned(all: readonly Located[], uri: vscode.Uri): Located[] {
  const key = uri.toString();
  const own = all.filter((one) => one.uri.toString() === key);
  if (own.length > 0) return own;
  return all.filter(({ pipeline }) => pipeline.steps.some(({ script }) => script && vscode.Uri.parse(script).toString() === key));
}
