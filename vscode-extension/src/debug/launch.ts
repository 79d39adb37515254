// Launch and attach configurations as values: what a configuration must hold before it goes to the debug server.
// Pure: no VS Code.

import type { ParameterValues } from "../model/parameters.ts";

export const debugType = "stepbridge";

/** Tells the debug server that this client starts children itself (event `stepbridge/child`). */
export const client = "stepbridge-vscode";

export interface LaunchConfiguration {
  type: typeof debugType;
  request: "launch";
  name: string;
  program: string;
  args?: string[];
  programArguments?: string[];
  /** An object, or "ask" (all of them), or "last" (what was used last). */
  parameters?: ParameterValues | "ask" | "last";
  steps?: string[];
  /** Run from this step on; earlier results come from the last run. */
  fromStep?: string;
  useCache?: boolean;
  engine?: string;
  python?: string;
  env?: Record<string, string>;
  stopOnEntry?: boolean;
  justMyCode?: boolean;
  postMortem?: boolean;
  breakOnStart?: string[] | boolean;
  noDebug?: boolean;
  [key: string]: unknown;
}

export interface AttachConfiguration {
  type: typeof debugType;
  request: "attach";
  name: string;
  execution: string;
  step: string;
  [key: string]: unknown;
}

export type Configuration = LaunchConfiguration | AttachConfiguration;

/** A program and, where it holds several pipelines, which: `pipeline.py` or `pipeline.py:get_pipeline`. */
export function programOf(path: string, pipeline?: { readonly variable?: string | null; readonly function?: string | null }, several = false): string {
  const name = pipeline?.function ?? (several ? pipeline?.variable : undefined);
  return name ? `${path}:${name}` : path;
}

/** The file of a program, without the name behind the colon (a drive letter's colon stays). */
export function fileOf(program: string): string {
  return program.replace(/(\.(?:py|json|ipynb|yaml|yml)):[A-Za-z_]\w*$/, "$1");
}

/** A child's configuration comes from the debug server complete and must stay as it is. */
export function isChild(configuration: Readonly<Record<string, unknown>>): boolean {
  return "__run" in configuration && "__step" in configuration;
}

export interface Defaults {
  /** "auto" leaves it to stepbridge.toml. */
  readonly engine: string;
  readonly python: string | undefined;
  readonly postMortem: boolean;
  readonly token: string;
}

/** Fills in what the user left out. */
export function completed(configuration: Configuration, defaults: Defaults): Configuration {
  const announced = { ...configuration, __client: client, __token: defaults.token };
  if (announced.request === "attach") return announced;
  return {
    ...announced,
    ...(announced.engine || defaults.engine === "auto" ? {} : { engine: defaults.engine }),
    postMortem: announced.postMortem ?? defaults.postMortem,
    ...(announced.python ? {} : defaults.python ? { python: defaults.python } : {}),
  };
}

/** What a person reads in the list of sessions. */
export function launchName(pipeline: string, { steps = [], fromStep }: { readonly steps?: readonly string[]; readonly fromStep?: string }): string {
  if (fromStep) return `${pipeline}: from ${fromStep}`;
  return steps.length > 0 ? `${pipeline}: ${steps.join(", ")}` : pipeline;
}
