// The events of a run as they arrive from the bridge (bridge/stepbridge/events.py is the source of truth).
// Times are seconds since the epoch.

export type StepStatus =
  | "Waiting" | "Starting" | "Executing" | "Stopping" | "Stopped" | "Succeeded" | "Failed" | "Skipped";
export type RunStatus = "Executing" | "Stopping" | "Stopped" | "Succeeded" | "Failed";
export type Phase = "pull" | "stage" | "start" | "debug" | "run" | "collect" | "breakpoint";

interface Base {
  readonly run: string;
  readonly time: number;
}

export interface StepPlan {
  readonly name: string;
  readonly type: string;
  readonly needs?: readonly string[];
  readonly branch?: readonly [string, boolean] | null;
}

export interface RunStarted extends Base {
  readonly event: "run-started";
  readonly pipeline: string;
  readonly arn: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly steps: readonly StepPlan[];
  readonly program?: string | null;
}

export interface StepStarted extends Base {
  readonly event: "step-started";
  readonly step: string;
  readonly attempt?: number;
}

export interface StepPhase extends Base {
  readonly event: "step-phase";
  readonly step: string;
  readonly phase: Phase;
  readonly detail?: string;
  readonly progress?: number | null;
}

export interface StepJob extends Base {
  readonly event: "step-job";
  readonly step: string;
  readonly arn: string;
  readonly container?: string;
  /** "docker", "podman" or "process". */
  readonly engine?: string;
}

export interface StepLog extends Base {
  readonly event: "step-log";
  readonly step: string;
  readonly stream: "stdout" | "stderr";
  readonly line: string;
  readonly host?: string;
}

export type DebugState =
  | "armed" | "listening" | "waiting" | "attached" | "detached" | "crashed" | "released" | "absent";

export interface StepDebug extends Base {
  readonly event: "step-debug";
  readonly step: string;
  readonly state: DebugState;
  readonly pid?: number;
  readonly port?: number;
  readonly host?: string;
  readonly file?: string;
  readonly line?: number;
  readonly error?: string;
}

export interface StepFinished extends Base {
  readonly event: "step-finished";
  readonly step: string;
  readonly status: StepStatus;
  readonly seconds: number;
  readonly failure?: string;
  readonly cached?: boolean;
  readonly outputs?: Readonly<Record<string, string>>;
  readonly outcome?: string;
}

export interface RunFinished extends Base {
  readonly event: "run-finished";
  readonly status: RunStatus;
  readonly seconds: number;
  readonly failure?: string;
}

export interface Notice extends Base {
  readonly event: "notice";
  readonly message: string;
  readonly step?: string;
}

export type RunEvent =
  | RunStarted | StepStarted | StepPhase | StepJob | StepLog | StepDebug | StepFinished | RunFinished | Notice;

export function isRunEvent(body: unknown): body is RunEvent {
  return (
    typeof body === "object" && body !== null &&
    "event" in body && typeof body.event === "string" &&
    "run" in body && typeof body.run === "string"
  );
}

export function ended(status: StepStatus | RunStatus): boolean {
  return status === "Stopped" || status === "Succeeded" || status === "Failed" || status === "Skipped";
}
