// A run as it stands: folded from its events, or read from the history. Pure; a new value per change, so that a
// view can compare by identity.

import { ended, type DebugState, type Phase, type RunEvent, type RunStatus, type StepPlan, type StepStatus } from "./events.ts";

/** A stretch of a step's time; the last one of a running step has no end. */
export interface Span {
  readonly phase: Phase | "wait";
  readonly from: number;
  readonly to?: number;
}

export interface StepDebugger {
  readonly state: DebugState;
  readonly pid: number;
  readonly port: number;
  readonly file: string;
  readonly line: number;
  readonly error: string;
}

export interface StepRun {
  readonly name: string;
  readonly type: string;
  readonly needs: readonly string[];
  readonly branch?: readonly [string, boolean];
  readonly status: StepStatus;
  readonly attempt: number;
  readonly detail: string;
  readonly progress?: number;
  readonly started?: number;
  readonly seconds?: number;
  readonly failure: string;
  readonly cached: boolean;
  readonly outputs: Readonly<Record<string, string>>;
  /** Condition steps: "True" or "False" once evaluated. */
  readonly outcome: string;
  readonly debugger?: StepDebugger;
  readonly spans: readonly Span[];
  /** The file that holds the step's output, for runs read from the history. */
  readonly log?: string;
}

export interface Run {
  readonly run: string;
  readonly pipeline: string;
  readonly program?: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly status: RunStatus;
  readonly started: number;
  readonly seconds?: number;
  readonly failure: string;
  /** What runs its jobs: "docker", "podman" or "process"; known from the first job on. */
  readonly engine?: string;
  readonly steps: readonly StepRun[];
}

const blank = { attempt: 1, detail: "", failure: "", cached: false, outputs: {}, outcome: "" } as const;

function planned(plan: StepPlan, time: number): StepRun {
  return {
    ...blank,
    name: plan.name,
    type: plan.type,
    needs: plan.needs ?? [],
    ...(plan.branch ? { branch: plan.branch } : {}),
    status: "Waiting",
    spans: [{ phase: "wait", from: time }],
  };
}

/** The run after `event`; the same object where the event changes nothing that is kept. */
export function apply(run: Run | undefined, event: RunEvent): Run | undefined {
  if (event.event === "run-started") {
    return {
      run: event.run,
      pipeline: event.pipeline,
      ...(event.program ? { program: event.program } : {}),
      parameters: event.parameters,
      status: "Executing",
      started: event.time,
      failure: "",
      steps: event.steps.map((plan) => planned(plan, event.time)),
    };
  }
  if (run === undefined) return undefined;
  switch (event.event) {
    case "run-finished":
      return {
        ...run,
        status: event.status,
        seconds: event.seconds,
        failure: event.failure ?? "",
        steps: run.steps.map((step) => ({ ...step, spans: closed(step.spans, event.time) })),
      };
    case "step-job":
      return event.engine && event.engine !== run.engine ? { ...run, engine: event.engine } : run;
    case "step-log":
    case "notice":
      return run;
    default:
      return { ...run, steps: run.steps.map((step) => (step.name === event.step ? stepAfter(step, event) : step)) };
  }
}

type StepEvent = Exclude<RunEvent, { event: "run-started" | "run-finished" | "step-log" | "step-job" | "notice" }>;

function stepAfter(step: StepRun, event: StepEvent): StepRun {
  switch (event.event) {
    case "step-started": {
      const { seconds: _seconds, debugger: _debugger, ...kept } = step;
      return {
        ...kept, ...blank,
        status: "Starting",
        attempt: event.attempt ?? 1,
        started: event.time,
        spans: opened(step.spans, "start", event.time),
      };
    }
    case "step-phase": {
      const { progress: _progress, ...kept } = step;
      return {
        ...kept,
        status: event.phase === "run" || event.phase === "breakpoint" ? "Executing" : step.status === "Waiting" ? "Starting" : step.status,
        detail: event.detail ?? "",
        ...(typeof event.progress === "number" ? { progress: event.progress } : {}),
        spans: step.spans.at(-1)?.phase === event.phase ? step.spans : opened(step.spans, event.phase, event.time),
      };
    }
    case "step-debug":
      return {
        ...step,
        debugger: {
          state: event.state,
          pid: event.pid ?? 0,
          port: event.port ?? 0,
          file: event.file ?? "",
          line: event.line ?? 0,
          error: event.error ?? "",
        },
      };
    case "step-finished":
      return {
        ...step,
        status: event.status,
        detail: "",
        seconds: event.seconds,
        failure: event.failure ?? "",
        cached: event.cached ?? false,
        outputs: event.outputs ?? {},
        outcome: event.outcome ?? "",
        // a skipped step never ran: its row stays empty
        spans: event.status === "Skipped" ? [] : closed(step.spans, event.time),
      };
  }
}

function closed(spans: readonly Span[], time: number): readonly Span[] {
  const last = spans.at(-1);
  if (last === undefined || last.to !== undefined) return spans;
  return [...spans.slice(0, -1), { ...last, to: time }];
}

function opened(spans: readonly Span[], phase: Span["phase"], time: number): readonly Span[] {
  return [...closed(spans, time), { phase, from: time }];
}

/** One line of `stepbridge runs --json`. */
export interface HistoryRun {
  readonly run: string;
  readonly pipeline: string;
  readonly status: RunStatus;
  readonly started: number;
  readonly seconds?: number | null;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly program?: string | null;
  readonly failure?: string | null;
}

interface HistoryStep {
  readonly name: string;
  readonly type: string;
  readonly status: StepStatus;
  readonly started?: number | null;
  readonly seconds?: number | null;
  readonly failure?: string | null;
  readonly cached?: boolean;
  readonly outputs?: Readonly<Record<string, string>>;
  readonly outcome?: string | null;
  readonly needs?: readonly string[];
  readonly branch?: readonly [string, boolean] | null;
  readonly attempt?: number;
  /** The file that holds the step's output. */
  readonly log?: string | null;
}

/** What `stepbridge show RUN --json` prints. */
export interface HistoryDetail extends HistoryRun {
  readonly steps: readonly HistoryStep[];
}

export function fromHistory(detail: HistoryDetail): Run {
  return {
    run: detail.run,
    pipeline: detail.pipeline,
    ...(detail.program ? { program: detail.program } : {}),
    parameters: detail.parameters ?? {},
    status: detail.status,
    started: detail.started,
    ...(typeof detail.seconds === "number" ? { seconds: detail.seconds } : {}),
    failure: detail.failure ?? "",
    steps: detail.steps.map((step) => recorded(step, detail.started)),
  };
}

function recorded(step: HistoryStep, runStarted: number): StepRun {
  const spans: Span[] = [];
  if (typeof step.started === "number") {
    if (step.started > runStarted) spans.push({ phase: "wait", from: runStarted, to: step.started });
    spans.push({ phase: "run", from: step.started, ...(typeof step.seconds === "number" ? { to: step.started + step.seconds } : {}) });
  }
  return {
    ...blank,
    name: step.name,
    type: step.type,
    needs: step.needs ?? [],
    ...(step.branch ? { branch: step.branch } : {}),
    status: step.status,
    attempt: step.attempt ?? 1,
    ...(typeof step.started === "number" ? { started: step.started } : {}),
    ...(typeof step.seconds === "number" ? { seconds: step.seconds } : {}),
    failure: step.failure ?? "",
    cached: step.cached ?? false,
    outputs: step.outputs ?? {},
    outcome: step.outcome ?? "",
    spans,
    ...(step.log ? { log: step.log } : {}),
  };
}

/** The step stands at the line that raised: it waits for an editor, or one looks at it. */
export function standsAtCrash({ status, debugger: found }: StepRun): boolean {
  return !ended(status) && found !== undefined && (found.state === "crashed" || (found.state === "attached" && found.line > 0));
}

/** The first line of a failure that says something: its last exception line, not the traceback's head. */
export function reason(failure: string): string {
  const lines = failure.split("\n").map((line) => line.trim()).filter(Boolean);
  return lines.findLast((line) => /^[\w.]*(Error|Exception|Warning|Interrupt|Exit)\b/.test(line)) ?? lines[0] ?? "failed";
}

/** A run's summary as plain lines, for the comparison of two runs in the diff editor. */
export function summary(run: Run): string {
  const lines = [`pipeline: ${run.pipeline}`, `status: ${run.status}`];
  if (run.failure) lines.push(`failure: ${run.failure}`);
  lines.push("", "parameters:");
  for (const name of Object.keys(run.parameters).sort()) lines.push(`  ${name}: ${JSON.stringify(run.parameters[name])}`);
  lines.push("", "steps:");
  for (const step of run.steps) {
    lines.push(`  ${step.name}:`, `    status: ${step.status}${step.cached ? " (cached)" : ""}`);
    if (step.seconds !== undefined) lines.push(`    seconds: ${step.seconds.toFixed(1)}`);
    if (step.outcome) lines.push(`    outcome: ${step.outcome}`);
    if (step.failure) lines.push(`    failure: ${reason(step.failure)}`);
    for (const name of Object.keys(step.outputs).sort()) lines.push(`    output ${name}: ${step.outputs[name] ?? ""}`);
  }
  return `${lines.join("\n")}\n`;
}
