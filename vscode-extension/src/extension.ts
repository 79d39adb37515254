// Puts the parts together. VS Code has no event for "a pipeline was opened", only for "a Python file was opened": so
// activation registers and nothing more; the tool is looked for and its servers start at the first pipeline, or when
// one of the extension's own commands, views or debug configurations is used.

import { activating, codeIsLoaded } from "./common/clock.ts";
import * as vscode from "vscode";
import { Commands, pickStep } from "./commands.ts";
import { looksLikePipeline } from "./common/detect.ts";
import { Engines } from "./common/engines.ts";
import { Log } from "./common/log.ts";
import { Status } from "./common/status.ts";
import { ToolFinder } from "./common/tool.ts";
import { Bridge } from "./debug/bridge.ts";
import { Configurations } from "./debug/configurations.ts";
import { LaunchFailures } from "./debug/failures.ts";
import { debugType } from "./debug/launch.ts";
import { ParameterPrompts } from "./debug/prompts.ts";
import { Sessions } from "./debug/sessions.ts";
import { reword } from "./debug/wording.ts";
import { GraphPanels, viewType } from "./graph/panel.ts";
import { LanguageServer } from "./language/client.ts";
import { Pipelines } from "./language/pipelines.ts";
import { Runs } from "./runs/store.ts";
import { createSample } from "./sample.ts";
import { runScheme, RunDocuments } from "./views/comparison.ts";
import { FailureMarks, LastRunLenses } from "./views/marks.ts";
import { notify, record } from "./views/notices.ts";
import { PipelinesView } from "./views/pipelines.ts";
import { RunsView } from "./views/runs.ts";

/** What tests in the extension host look at. */
export interface Api {
  readonly tools: ToolFinder;
  readonly pipelines: Pipelines;
  readonly runs: Runs;
  readonly language: LanguageServer;
  readonly configurations: Configurations;
  readonly status: Status;
  readonly engines: Engines;
  /** Milliseconds that loading the code and activation took. */
  readonly activation: number;
  /** True once the tool was looked for. */
  readonly awake: boolean;
}

export function activate(context: vscode.ExtensionContext): Api {
  const ownTime = activating();
  const log = new Log();
  const status = new Status();
  const tools = new ToolFinder(context, log);
  const engines = new Engines(tools, log);
  const language = new LanguageServer(log, status);
  const pipelines = new Pipelines(language, () => { wake(); });
  const runs = new Runs(tools, log);
  const bridge = new Bridge(tools, log, status);
  const sessions = new Sessions(bridge);
  const prompts = new ParameterPrompts(context.workspaceState);
  const configurations = new Configurations(pipelines, bridge, prompts, (execution) => pickStep(runs, execution));
  const graphs = new GraphPanels(context.extensionUri, pipelines, runs);
  const parts = { tools, log, pipelines, runs, configurations, prompts, sessions, graphs };
  const commands = {
    ...new Commands(parts).table(),
    ...maintenance(tools, engines, language, bridge, pipelines, runs, log),
    createSample: () => createSample(context.extensionUri),
  };

  let awake = false;
  const wake = (): void => {
    if (awake) return;
    awake = true;
    void tools.find().then(async (tool) => {
      status.tool(tool);
      if (tool !== undefined) return;
      await language.use(undefined);
      await tools.offer();
    });
  };
  /** After each change of what is open or known: a first pipeline wakes the extension, the last one hides its item. */
  const look = (): void => {
    const concerned = pipelines.known().length > 0 || runs.live.length > 0 || vscode.workspace.textDocuments.some(holdsPipeline);
    if (concerned) wake();
    status.concern(concerned);
  };

  context.subscriptions.push(
    log, status, tools, engines, language, pipelines, runs, bridge, sessions, graphs,
    ...registerCommands(commands, wake),
    ...registerViews(pipelines, runs, wake),
    vscode.debug.registerDebugAdapterDescriptorFactory(debugType, sessions),
    vscode.debug.registerDebugAdapterTrackerFactory(debugType, new LaunchFailures(log, () => void engines.look())),
    vscode.debug.registerDebugAdapterTrackerFactory(debugType, { createDebugAdapterTracker: () => ({ onDidSendMessage: reword }) }),
    vscode.debug.registerDebugConfigurationProvider(debugType, configurations),
    vscode.debug.registerDebugConfigurationProvider(debugType, configurations, vscode.DebugConfigurationProviderTriggerKind.Dynamic),
    vscode.window.registerWebviewPanelSerializer(viewType, graphs),
    vscode.workspace.registerTextDocumentContentProvider(runScheme, new RunDocuments(runs)),
    vscode.workspace.onDidOpenTextDocument(look),
    vscode.workspace.onDidSaveTextDocument(look),
    vscode.workspace.onDidCloseTextDocument(look),
    pipelines.onDidChange(look),
    engines.onDidChange((engine) => { status.engine(engine); }),
    sessions.onEvent(({ event }) => {
      const { after } = runs.follow(event);
      record(event, after, log);
      notify(event, after);
      if (event.event === "run-finished") void engines.look();
    }),
    runs.onDidChange(() => {
      status.runs(runs.live);
      look();
    }),
    tools.onDidChange((tool) => {
      status.tool(tool);
      void language.use(tool);
    }),
    ...markPipelineEditors(pipelines),
  );
  look();
  const activation = ownTime();
  return { tools, pipelines, runs, language, configurations, status, engines, activation, get awake() { return awake; } };
}

function holdsPipeline(document: vscode.TextDocument): boolean {
  return document.uri.scheme === "file" && looksLikePipeline(document.languageId, document.getText());
}

function registerCommands(table: Readonly<Record<string, (...args: unknown[]) => unknown>>, wake: () => void): vscode.Disposable[] {
  return Object.entries(table).map(([name, action]) =>
    vscode.commands.registerCommand(`stepbridge.${name}`, async (...args: unknown[]) => {
      if (name !== "createSample") wake();
      try {
        await action(...args);
      } catch (error) {
        void vscode.window.showErrorMessage(error instanceof Error ? error.message : String(error));
      }
    }),
  );
}

function maintenance(
  tools: ToolFinder, engines: Engines, language: LanguageServer, bridge: Bridge, pipelines: Pipelines, runs: Runs, log: Log,
): Readonly<Record<string, () => unknown>> {
  const restart = async (): Promise<void> => {
    bridge.stop();
    await language.restart();
  };
  return {
    restart,
    install: () => tools.install(),
    showOutput: () => { log.channel.show(); },
    refresh: () => Promise.all([pipelines.refresh(), runs.refresh(), engines.look()]),
    menu: async () => {
      const commands = [
        ["$(type-hierarchy-sub) Show Pipeline Graph", "stepbridge.showGraph"],
        ["$(play) Run Pipeline", "stepbridge.run"],
        ["$(debug-alt) Debug Pipeline", "stepbridge.debug"],
        ["$(plug) Attach to a Running Step", "stepbridge.attach"],
        ["$(output) Show Log of the Extension", "stepbridge.showOutput"],
        ["$(debug-restart) Restart Servers", "stepbridge.restart"],
        ["$(cloud-download) Install or Repair the Tool", "stepbridge.install"],
        ["$(gear) Settings", "workbench.action.openSettings"],
      ] as const;
      const allowed = vscode.workspace.isTrusted ? commands : commands.filter(([, id]) => !/\.(run|debug|attach)$/.test(id));
      const picked = await vscode.window.showQuickPick(allowed.map(([label, id]) => ({ label, id })), { title: "StepBridge" });
      if (picked) await vscode.commands.executeCommand(picked.id, ...(picked.id.endsWith("openSettings") ? ["stepbridge"] : []));
    },
  };
}

function registerViews(pipelines: Pipelines, runs: Runs, wake: () => void): vscode.Disposable[] {
  const pipelinesView = new PipelinesView(pipelines, runs);
  const runsView = new RunsView(runs);
  const lenses = new LastRunLenses(pipelines, runs);
  const pipelinesTree = vscode.window.createTreeView("stepbridge.pipelines", { treeDataProvider: pipelinesView, showCollapseAll: true });
  const runsTree = vscode.window.createTreeView("stepbridge.runs", { treeDataProvider: runsView, showCollapseAll: true, canSelectMany: true });
  const seen = ({ visible }: { readonly visible: boolean }): void => { if (visible) wake(); };
  seen(pipelinesTree);
  seen(runsTree);
  return [
    pipelinesView, runsView, lenses, new FailureMarks(pipelines, runs),
    pipelinesTree, runsTree, pipelinesTree.onDidChangeVisibility(seen), runsTree.onDidChangeVisibility(seen),
    vscode.languages.registerCodeLensProvider([{ scheme: "file", language: "python" }], lenses),
  ];
}

/** The run and graph buttons in the editor's title stand where a pipeline is. */
function markPipelineEditors(pipelines: Pipelines): vscode.Disposable[] {
  const mark = (): void => {
    const uri = vscode.window.activeTextEditor?.document.uri.toString();
    const holds = pipelines.known().some((one) => one.uri.toString() === uri);
    void vscode.commands.executeCommand("setContext", "stepbridge.pipelineFile", holds);
  };
  return [vscode.window.onDidChangeActiveTextEditor(mark), pipelines.onDidChange(mark)];
}

codeIsLoaded();
