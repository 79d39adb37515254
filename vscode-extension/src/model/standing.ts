// How things stand, in the words of the status item: one line for the bar, and the text that explains it. Pure.

import { duration } from "./duration.ts";
import { engineOfRun, engineWords, type Engine } from "./engine.ts";
import { ended, type RunStatus } from "./events.ts";
import { reason, standsAtCrash, type Run, type StepRun } from "./run.ts";
import { escaped, lacksEngine, link } from "./text.ts";

export type Server = "language server" | "debug server";
export type ServerState = "starting" | "running" | "stopped" | "failing";

export interface Standing {
  /** The tool; null where none is installed, undefined before it was looked for. */
  readonly tool?: { readonly command: string; readonly version: string } | null;
  readonly engine?: Engine;
  readonly servers: ReadonlyMap<Server, ServerState>;
  /** The runs that this window follows, newest first. */
  readonly runs: readonly Run[];
  readonly trusted: boolean;
}

export interface Headline {
  readonly text: string;
  readonly severity?: "warning" | "error";
}

/** The line in the status bar: what is wrong, else what runs, else what would run the next step. */
export function headline({ tool, engine, servers, runs }: Standing): Headline {
  if (tool === null) return { text: "$(warning) StepBridge: not installed", severity: "warning" };
  const failing = [...servers].find(([, state]) => state === "failing");
  if (failing) return { text: `$(error) StepBridge: ${failing[0]} fails`, severity: "error" };
  const active = runs.filter(({ status }) => !ended(status));
  const on = (run: Run | undefined): string => {
    const used = engineOfRun(run?.engine, engine);
    return used ? ` · ${engineWords(used)}` : "";
  };
  const crashed = active.flatMap((run) => run.steps.filter(standsAtCrash));
  if (crashed.length > 0) return { text: `$(bug) ${names(crashed)} crashed${on(active[0])}`, severity: "error" };
  const [first] = active;
  if (first) {
    const running = active.flatMap((run) => run.steps.filter(isRunning));
    return { text: `$(sync~spin) ${running.length > 0 ? names(running) : first.pipeline}${on(first)}` };
  }
  if (engine?.name === "none") return { text: "$(warning) StepBridge: no engine", severity: "warning" };
  const [latest] = runs;
  const failed = latest?.status === "Failed" ? latest.steps.filter(({ status }) => status === "Failed") : [];
  if (latest?.status === "Failed") return { text: `$(error) ${failed.length > 0 ? names(failed) : latest.pipeline} failed${on(undefined)}` };
  return { text: `$(pass) StepBridge${engine ? `: ${engineWords(engine)}` : ""}` };
}

/** The tooltip, in Markdown with command links. */
export function details(standing: Standing): string {
  const { tool, servers, runs, trusted } = standing;
  const lines: string[] = [];
  if (tool) lines.push(`**StepBridge** ${tool.version}`);
  if (tool === null) lines.push(`**StepBridge**: its command-line tool is not installed. ${link("Install", "stepbridge.install")}`);
  if (!trusted) lines.push(`This workspace is not trusted: problems are shown, nothing runs. ${link("Manage Trust", "workbench.trust.manage")}`);
  else if (tool) lines.push(engineLine(standing.engine));
  for (const [server, state] of servers) {
    if (state === "failing") lines.push(`$(error) The ${server} keeps ending. ${link("Restart", "stepbridge.restart")} · ${link("Show Log", "stepbridge.showOutput")}`);
    else if (state === "starting") lines.push(`$(loading~spin) The ${server} starts.`);
  }
  const shown = runs.slice(0, 3).map(runLine);
  if (shown.length > 0) lines.push("---", ...shown);
  if (tool && trusted) {
    lines.push("---", [
      link("$(play) Run", "stepbridge.run"), link("$(debug-alt) Debug", "stepbridge.debug"),
      link("$(type-hierarchy-sub) Graph", "stepbridge.showGraph"), link("$(output) Log", "stepbridge.showOutput"),
    ].join(" &nbsp; "));
  }
  return lines.join("\n\n");
}

function engineLine(engine: Engine | undefined): string {
  const change = link("Change", "workbench.action.openSettings", "stepbridge.engine");
  if (engine === undefined) return `$(loading~spin) Looking for what runs the steps. ${change}`;
  if (engine.name === "none") return `$(warning) ${escaped(engine.reason)}. Start Docker, or choose another engine. ${link("Look Again", "stepbridge.refresh")} · ${change}`;
  const why = engine.name === "process" && engine.reason.includes(": ") ? ` (${escaped(engine.reason.slice(engine.reason.indexOf(": ") + 2))})` : "";
  return `$(server-environment) Steps run in **${engineWords(engine)}**${why}. ${change}`;
}

const icons: Record<RunStatus, string> = {
  Executing: "$(sync~spin)", Stopping: "$(stop-circle)", Stopped: "$(circle-slash)", Succeeded: "$(pass)", Failed: "$(error)",
};

function runLine(run: Run): string {
  const target = { run: run.run, pipeline: run.pipeline };
  const running = run.steps.filter(isRunning);
  const failed = run.steps.find(({ status }) => status === "Failed");
  const crashed = run.steps.find(standsAtCrash);
  const words = crashed && !ended(run.status)
    ? `${crashed.name} crashed: ${reason(crashed.debugger?.error ?? "")}`
    : run.status === "Failed"
      ? `failed: ${failed ? `${failed.name}: ${lacksEngine(failed.failure) ? "no container engine answered" : reason(failed.failure)}` : reason(run.failure)}`
      : ended(run.status)
        ? `${run.status.toLowerCase()}${run.seconds === undefined ? "" : ` in ${duration(run.seconds)}`}`
        : running.length > 0 ? `runs ${names(running)}` : "starts";
  const offers = [
    ...(ended(run.status) ? [] : [link("Stop", "stepbridge.stopRun", target)]),
    ...(failed ? [link("Show Log", "stepbridge.showLog", { ...target, step: failed.name })] : []),
  ];
  return `${icons[run.status]} **${escaped(run.pipeline)}** ${escaped(words)}${offers.length > 0 ? ` &nbsp; ${offers.join(" · ")}` : ""}`;
}

function isRunning({ status }: StepRun): boolean {
  return status === "Executing" || status === "Starting";
}

/** "Train", "Left, Right", "Left, Right and 2 more". */
function names(steps: readonly { readonly name: string }[]): string {
  const shown = steps.slice(0, 2).map(({ name }) => name).join(", ");
  return steps.length > 2 ? `${shown} and ${String(steps.length - 2)} more` : shown;
}

/** Every command that a tooltip may hold; a Markdown text of VS Code runs no other. */
export const tooltipCommands = [
  "stepbridge.install", "stepbridge.refresh", "stepbridge.restart", "stepbridge.showOutput", "stepbridge.showLog", "stepbridge.stopRun",
  "stepbridge.run", "stepbridge.debug", "stepbridge.showGraph", "workbench.action.openSettings", "workbench.trust.manage",
] as const;
