// What each command does. The palette, lenses, trees, the graph and notifications all end up here.

import { access, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import * as vscode from "vscode";
import type { Log } from "./common/log.ts";
import { stdout } from "./common/run.ts";
import type { ToolFinder } from "./common/tool.ts";
import type { Configurations } from "./debug/configurations.ts";
import { debugType, fileOf, type LaunchConfiguration } from "./debug/launch.ts";
import type { ParameterPrompts } from "./debug/prompts.ts";
import type { Sessions } from "./debug/sessions.ts";
import type { GraphPanels } from "./graph/panel.ts";
import type { Located, Pipelines } from "./language/pipelines.ts";
import { ended } from "./model/events.ts";
import { ago } from "./model/duration.ts";
import type { ParameterValues } from "./model/parameters.ts";
import type { Run, StepRun } from "./model/run.ts";
import type { Runs } from "./runs/store.ts";
import { compare } from "./views/comparison.ts";
import { stepWords } from "./views/look.ts";
import { targetOf, type Target } from "./views/targets.ts";

export interface Parts {
  readonly tools: ToolFinder;
  readonly log: Log;
  readonly pipelines: Pipelines;
  readonly runs: Runs;
  readonly configurations: Configurations;
  readonly prompts: ParameterPrompts;
  readonly sessions: Sessions;
  readonly graphs: GraphPanels;
}

export class Commands {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Command ids without the prefix, and what they do. */
  table(): Readonly<Record<string, (...args: unknown[]) => unknown>> {
    return {
      run: (...args) => this.#start(targetOf(args), { noDebug: true }),
      debug: (...args) => this.#start(targetOf(args)),
      runWithParameters: (...args) => this.#start(targetOf(args), { noDebug: true, parameters: "ask" }),
      debugWithParameters: (...args) => this.#start(targetOf(args), { parameters: "ask" }),
      runFrom: (...args) => this.#startFrom(targetOf(args)),
      attach: (...args) => this.#attach(targetOf(args)),
      debugAtCrash: (...args) => this.#debugAtCrash(targetOf(args)),
      rerun: (...args) => this.#rerun(targetOf(args)),
      stopRun: (...args) => this.#stop(targetOf(args)),
      showGraph: (...args) => this.#showGraph(targetOf(args)),
      showLog: (...args) => this.#showLog(targetOf(args)),
      openOutput: (...args) => this.#openOutput(targetOf(args)),
      goToSource: (...args) => this.#goToSource(targetOf(args)),
      openScript: (...args) => this.#openScript(targetOf(args)),
      compareRuns: (...args) => this.#compare(args),
      stockConfiguration: (...args) => this.#stockConfiguration(targetOf(args)),
    };
  }

  async #start(target: Target, more: Partial<LaunchConfiguration> = {}): Promise<void> {
    if (target.uri === undefined && target.pipeline === undefined) {
      const launch = await this.#parts.configurations.fromEditor();
      if (launch) await this.#launch(vscode.Uri.file(fileOf(launch.program)), { ...launch, ...more });
      return;
    }
    const located = await this.#located(target);
    const steps = target.step === undefined ? {} : { steps: [target.step] };
    if (located) await this.#launchPipeline(located, { ...steps, ...more });
  }

  async #startFrom(target: Target): Promise<void> {
    const located = await this.#located(target);
    if (located === undefined || target.step === undefined) return;
    // the values of the run that is taken up again, so that the steps before it fit
    const parameters = this.#parts.runs.latest(located.pipeline.name)?.parameters as ParameterValues | undefined;
    await this.#launchPipeline(located, { noDebug: true, fromStep: target.step, ...(parameters ? { parameters } : {}) });
  }

  async #launchPipeline(located: Located, more: Partial<LaunchConfiguration>): Promise<void> {
    await this.#launch(located.uri, this.#parts.configurations.launch(located, more));
  }

  async #launch(uri: vscode.Uri, { noDebug = false, ...configuration }: LaunchConfiguration): Promise<void> {
    await vscode.workspace.saveAll(false);
    await vscode.debug.startDebugging(vscode.workspace.getWorkspaceFolder(uri), configuration, { noDebug, suppressSaveBeforeStart: true });
  }

  async #rerun(target: Target): Promise<void> {
    const run = target.run === undefined ? undefined : await this.#parts.runs.open(target.run);
    const located = await this.#located(target);
    const engine = target.engine === undefined ? {} : { engine: target.engine };
    if (located) await this.#launchPipeline(located, { noDebug: true, parameters: (run?.parameters ?? {}) as ParameterValues, ...engine });
  }

  async #attach(target: Target): Promise<boolean> {
    const run = target.run ?? (target.pipeline ? this.#parts.runs.latest(target.pipeline)?.run : undefined);
    const folder = target.uri ? vscode.workspace.getWorkspaceFolder(vscode.Uri.parse(target.uri)) : undefined;
    return vscode.debug.startDebugging(folder ?? vscode.workspace.workspaceFolders?.[0], {
      type: debugType, request: "attach", name: target.step ? `Attach to ${target.step}` : "Attach to a step",
      ...(run && target.step ? { execution: run, step: target.step } : {}),
    });
  }

  /** A step that still stands at the raising frame is attached to; one that is gone runs again up to there. */
  async #debugAtCrash(target: Target): Promise<void> {
    const run = target.run === undefined ? undefined : await this.#parts.runs.open(target.run);
    const step = run?.steps.find(({ name }) => name === target.step);
    if (step?.debugger?.state === "crashed" && !ended(step.status)) {
      await this.#attach(target);
      return;
    }
    await this.#start(target, { postMortem: true, ...(run ? { parameters: run.parameters as ParameterValues } : {}) });
  }

  async #stop(target: Target): Promise<void> {
    const run = target.run ?? this.#parts.runs.live.find(({ status }) => !ended(status))?.run;
    if (run === undefined) return;
    const session = this.#parts.sessions.of(run);
    if (session) {
      await vscode.debug.stopDebugging(session);
      return;
    }
    const tool = await this.#parts.tools.need();
    const cwd = this.#parts.runs.folder(run);
    if (tool) await stdout(tool.command, ["stop", run], cwd ? { cwd } : {});
    await this.#parts.runs.refresh();
  }

  async #showGraph(target: Target): Promise<void> {
    if (target.run !== undefined && target.uri !== undefined && target.pipeline !== undefined) {
      const latest = this.#parts.runs.latest(target.pipeline)?.run === target.run;
      this.#parts.graphs.show({ uri: target.uri, pipeline: target.pipeline, ...(latest ? {} : { run: target.run }) });
      return;
    }
    const located = await this.#located(target);
    if (located) this.#parts.graphs.show({ uri: located.uri.toString(), pipeline: located.pipeline.name });
  }

  async #showLog({ run: id, pipeline, step }: Target): Promise<void> {
    if (step === undefined) return;
    const run = id === undefined ? pipeline && this.#parts.runs.latest(pipeline) : await this.#parts.runs.open(id);
    const name = run ? run.pipeline : pipeline;
    const live = run && this.#parts.runs.live.find(({ pipeline: one }) => one === run.pipeline)?.run === run.run;
    if (name && (live || !run) && this.#parts.log.has(name, step)) {
      this.#parts.log.step(name, step).show(true);
      return;
    }
    const path = run ? run.steps.find((one) => one.name === step)?.log : undefined;
    if (path && (await exists(path))) {
      await vscode.window.showTextDocument(vscode.Uri.file(path), { preview: true });
      return;
    }
    void vscode.window.showInformationMessage(`Step ${step} has written no log.`);
  }

  async #openOutput({ run: id, step, output }: Target): Promise<void> {
    const run = id === undefined ? undefined : await this.#parts.runs.open(id);
    const outputs = run?.steps.find(({ name }) => name === step)?.outputs ?? {};
    const uri = output === undefined ? await pickOutput(outputs) : outputs[output];
    if (uri === undefined || run === undefined) return;
    const folder = this.#parts.runs.folder(run.run);
    const path = folder && uri.startsWith("s3://") ? join(folder, ".stepbridge/s3", uri.slice("s3://".length)) : undefined;
    if (path === undefined || !(await exists(path))) {
      void vscode.window.showWarningMessage(`${uri} is not in this machine's store.`);
      return;
    }
    const file = vscode.Uri.file(path);
    if ((await stat(path)).isDirectory()) await openFolder(file);
    else if (/\.(tar|gz|zip|tgz|joblib|pkl)$/.test(path)) await vscode.commands.executeCommand("revealFileInOS", file);
    else await vscode.commands.executeCommand("vscode.open", file);
  }

  async #goToSource(target: Target): Promise<void> {
    const located = await this.#located(target);
    if (located === undefined) return;
    const step = located.pipeline.steps.find(({ name }) => name === target.step);
    const { start } = step ? step.nameRange : located.pipeline.range;
    const position = new vscode.Position(start.line, start.character);
    const shown = vscode.window.visibleTextEditors.find(({ document }) => document.uri.toString() === located.uri.toString());
    const editor = await vscode.window.showTextDocument(located.uri, { viewColumn: shown?.viewColumn ?? vscode.ViewColumn.One });
    editor.selection = new vscode.Selection(position, position);
    editor.revealRange(new vscode.Range(position, position), vscode.TextEditorRevealType.InCenterIfOutsideViewport);
  }

  async #openScript(target: Target): Promise<void> {
    const located = await this.#located(target);
    const script = located?.pipeline.steps.find(({ name }) => name === target.step)?.script;
    if (script) await vscode.window.showTextDocument(vscode.Uri.parse(script));
    else void vscode.window.showInformationMessage(`Step ${target.step ?? ""} runs no script of this workspace.`);
  }

  async #compare(args: readonly unknown[]): Promise<void> {
    const selected = Array.isArray(args[1]) ? (args[1] as readonly unknown[]) : [];
    const nodes = (selected.length > 0 ? selected : args.slice(0, 1)).flatMap((one) => runOf(one) ?? []);
    const [first, second] = nodes;
    const left = first ?? (await this.#pickRun("Compare which run?"));
    if (left === undefined) return;
    const right = second ?? (await this.#pickRun(`Compare ${left.pipeline} ${left.run} with which run?`, left.run));
    if (right) await compare(left, right);
  }

  async #pickRun(title: string, except?: string): Promise<{ run: string; pipeline: string } | undefined> {
    const now = Date.now() / 1000;
    const items = this.#parts.runs.list
      .filter(({ run }) => run !== except)
      .map(({ run, pipeline, status, started }) => ({ label: pipeline, description: run, detail: `${status}, ${ago(started, now)}`, run, pipeline }));
    return vscode.window.showQuickPick(items, { title, matchOnDescription: true });
  }

  /** A launch.json entry for the stock Python debugger, as the tool writes it. */
  async #stockConfiguration(target: Target): Promise<void> {
    const tool = await this.#parts.tools.need();
    const located = tool && (await this.#located(target));
    if (tool === undefined || located === undefined) return;
    const cwd = vscode.workspace.getWorkspaceFolder(located.uri)?.uri.fsPath;
    const text = await stdout(tool.command, ["launch-config", located.uri.fsPath], cwd ? { cwd } : {});
    await vscode.window.showTextDocument(await vscode.workspace.openTextDocument({ language: "jsonc", content: text }));
  }

  /** The pipeline that a target speaks of; the user chooses where it says nothing. */
  async #located(target: Target): Promise<Located | undefined> {
    const { pipelines, configurations } = this.#parts;
    if (target.uri !== undefined) {
      const uri = vscode.Uri.parse(target.uri);
      const pipeline = await pipelines.find(uri, target.pipeline);
      if (pipeline) return { uri, pipeline };
    }
    const all = await pipelines.all();
    const named = all.filter(({ pipeline }) => pipeline.name === target.pipeline);
    if (named.length > 0) return configurations.choose(named);
    const active = vscode.window.activeTextEditor?.document.uri.toString();
    const shown = all.filter(({ uri }) => uri.toString() === active);
    return configurations.choose(shown.length > 0 ? shown : all);
  }
}

/** Lets the user choose a running step, of this window's runs and of those that others started. */
export async function pickStep(runs: Runs, execution?: string): Promise<{ execution: string; step: string } | undefined> {
  await runs.refresh();
  const ids = new Set([...runs.live, ...runs.list].filter(({ status }) => !ended(status)).map(({ run }) => run));
  const open = await Promise.all([...ids].filter((id) => execution === undefined || id === execution).map((id) => runs.open(id)));
  const items = open
    .filter((run): run is Run => run !== undefined)
    .flatMap((run) => run.steps.filter(attachable).map((step) => ({
      label: step.name, description: run.pipeline, detail: stepWords(step), pick: { execution: run.run, step: step.name },
    })));
  if (items.length === 0) {
    void vscode.window.showInformationMessage("No step is running now.");
    return undefined;
  }
  return (await vscode.window.showQuickPick(items, { title: "Attach to which step?" }))?.pick;
}

function attachable(step: StepRun): boolean {
  return !ended(step.status) && step.status !== "Waiting" && step.type !== "Condition";
}

function runOf(node: unknown): { run: string; pipeline: string } | undefined {
  const run = (node as { run?: { run?: unknown; pipeline?: unknown } } | undefined)?.run;
  return typeof run?.run === "string" && typeof run.pipeline === "string" ? { run: run.run, pipeline: run.pipeline } : undefined;
}

async function pickOutput(outputs: Readonly<Record<string, string>>): Promise<string | undefined> {
  const items = Object.entries(outputs).map(([label, description]) => ({ label, description }));
  if (items.length <= 1) return items[0]?.description;
  return (await vscode.window.showQuickPick(items, { title: "Which output?" }))?.description;
}

/** The only file of a folder, else the user's choice of its files. */
async function openFolder(folder: vscode.Uri): Promise<void> {
  const files = await vscode.workspace.findFiles(new vscode.RelativePattern(folder, "**/*"), null, 200);
  const [only] = files;
  const items = files.map((uri) => ({ label: basename(uri.path), description: uri.path.slice(folder.path.length + 1), uri }));
  const picked = files.length === 1 ? only : (await vscode.window.showQuickPick(items, { title: basename(folder.path) }))?.uri;
  if (picked) await vscode.commands.executeCommand("vscode.open", picked);
}

function exists(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false);
}
