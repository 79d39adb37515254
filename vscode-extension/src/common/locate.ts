// Where the `stepbridge` command is: which places are asked, in which order, and what counts as an answer.
// Knows no VS Code and starts no process itself: both are given.

import { delimiter, isAbsolute, join, relative } from "node:path";

export type Origin = "setting" | "environment" | "path" | "private";

export interface Candidate {
  readonly command: string;
  readonly origin: Origin;
}

export interface Tool extends Candidate {
  readonly version: string;
}

export interface Places {
  /** The setting `stepbridge.path`; empty when not set. */
  readonly setting: string;
  /** Folders of Python environments that belong to the workspace, best first. */
  readonly environments: readonly string[];
  /** The value of PATH. */
  readonly path: string;
  /** Folder of the extension's own environment. */
  readonly privateEnvironment: string;
  readonly workspaceFolders: readonly string[];
  /** In an untrusted workspace nothing that lies inside of it may be started. */
  readonly trusted: boolean;
}

const windows = process.platform === "win32";

/** The command of a Python environment. */
export function commandIn(environment: string, name = "stepbridge"): string {
  return windows ? join(environment, "Scripts", `${name}.exe`) : join(environment, "bin", name);
}

/** Every place worth a look, best first. */
export function candidates(places: Places): Candidate[] {
  const found: Candidate[] = [];
  // a setting is a decision: when it is wrong the user must hear of it, so no other place is asked
  if (places.setting) return [{ command: places.setting, origin: "setting" }];
  if (places.trusted) {
    for (const folder of places.environments) found.push({ command: commandIn(folder), origin: "environment" });
  }
  for (const folder of places.path.split(delimiter)) {
    if (!isAbsolute(folder)) continue;
    if (!places.trusted && places.workspaceFolders.some((root) => inside(root, folder))) continue;
    found.push({ command: join(folder, windows ? "stepbridge.exe" : "stepbridge"), origin: "path" });
  }
  found.push({ command: commandIn(places.privateEnvironment), origin: "private" });
  return found;
}

function inside(root: string, folder: string): boolean {
  const way = relative(root, folder);
  return way === "" || (!way.startsWith("..") && !isAbsolute(way));
}

export interface Probe {
  exists(command: string): Promise<boolean>;
  /** What `command --version` prints; throws when it cannot be run. */
  version(command: string): Promise<string>;
}

export interface Located {
  readonly tool?: Tool;
  /** Why candidates that exist were not taken, for the log and for the message. */
  readonly refused: readonly string[];
}

/** The first candidate that runs and is new enough. */
export async function locate(places: Places, probe: Probe, minimum: string): Promise<Located> {
  const refused: string[] = [];
  for (const candidate of candidates(places)) {
    if (!(await probe.exists(candidate.command))) {
      if (candidate.origin === "setting") refused.push(`${candidate.command} (setting stepbridge.path) does not exist.`);
      continue;
    }
    try {
      const version = parseVersion(await probe.version(candidate.command));
      if (version === undefined) refused.push(`${candidate.command} does not say its version.`);
      else if (compareVersions(version, minimum) < 0) refused.push(`${candidate.command} is ${version}; ${minimum} or newer is needed.`);
      else return { tool: { ...candidate, version }, refused };
    } catch (error) {
      refused.push(`${candidate.command} does not run: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { refused };
}

export function parseVersion(text: string): string | undefined {
  return /\b(\d+\.\d+(?:\.\d+)?)/.exec(text)?.[1];
}

/** Negative when `a` is older than `b`. */
export function compareVersions(a: string, b: string): number {
  const left = a.split(".").map(Number);
  const right = b.split(".").map(Number);
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
