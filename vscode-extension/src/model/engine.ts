// What runs the steps on this machine, as `stepbridge doctor engine --json` tells it. Pure.

export interface Engine {
  /** "none": the one that was asked for does not answer, and nothing else may run. */
  readonly name: "docker" | "podman" | "process" | "none";
  readonly version: string;
  /** One line on why it is this one, or why there is none. */
  readonly reason: string;
}

interface Finding {
  readonly subject: string;
  readonly state: string;
  readonly text: string;
  readonly facts?: { readonly name?: string; readonly version?: string };
}

/** The engine of a report; undefined where it speaks of none, as an older tool's may. */
export function engineOf(report: string): Engine | undefined {
  const finding = (JSON.parse(report) as readonly Finding[]).find(({ subject }) => subject === "engine");
  if (finding === undefined) return undefined;
  const { state, text, facts = {} } = finding;
  if (state === "missing") return { name: "none", version: "", reason: text };
  const { name, version = "" } = facts;
  return isEngine(name) ? { name, version, reason: text.slice(text.indexOf(": ") + 2) } : undefined;
}

const words = { docker: "Docker", podman: "Podman", process: "local processes" } as const;

function isEngine(name: string | undefined): name is keyof typeof words {
  return name !== undefined && name in words;
}

/** "Docker 27.5.1", "Podman 4.9.3", "local processes", "no engine". */
export function engineWords({ name, version }: Pick<Engine, "name" | "version">): string {
  if (name === "none") return "no engine";
  const plain = version.replace(/[+-].*$/, ""); // a distribution's own suffix
  return name === "process" || plain === "" ? words[name] : `${words[name]} ${plain}`;
}

/** The engine that a run's steps were given, by the name that its events carry. */
export function engineOfRun(name: string | undefined, here: Engine | undefined): Engine | undefined {
  if (!isEngine(name) || name === here?.name) return here;
  return { name, version: "", reason: "" };
}
