// A pipeline as the language server tells it (request `stepbridge/pipelines`). Pure values; ranges are the
// protocol's, zero-based, in UTF-16 units.

export interface Position {
  readonly line: number;
  readonly character: number;
}

export interface Range {
  readonly start: Position;
  readonly end: Position;
}

/** An input or output of a step. */
export interface Port {
  readonly name: string;
  readonly range?: Range;
}

export interface StepModel {
  readonly name: string;
  readonly kind: string;
  readonly range: Range;
  readonly nameRange: Range;
  readonly dependsOn: readonly string[];
  /** The condition that this step belongs to, and whether it runs when the condition holds. */
  readonly branch?: readonly [string, boolean] | null;
  /** URI of the script that the step runs. */
  readonly script?: string | null;
  readonly inputs: readonly (Port | string)[];
  readonly outputs: readonly (Port | string)[];
}

export type EdgeKind = "data" | "depends-on" | "branch" | "property-file";

export interface Edge {
  readonly source: string;
  readonly target: string;
  readonly kind: EdgeKind;
}

export type ParameterType = "String" | "Integer" | "Float" | "Boolean";
export type ParameterValue = string | number | boolean;

export interface ParameterModel {
  readonly name: string;
  /** Null where the program does not show it. */
  readonly type: ParameterType | null;
  readonly default?: ParameterValue | null;
  readonly enum?: readonly string[] | null;
  readonly range: Range;
}

export interface PipelineModel {
  readonly name: string;
  readonly variable?: string | null;
  /** The function that returns the pipeline, where it is not built at the top of the module. */
  readonly function?: string | null;
  readonly range: Range;
  readonly steps: readonly StepModel[];
  readonly edges: readonly Edge[];
  readonly parameters: readonly ParameterModel[];
}

export interface PipelinesParams {
  readonly textDocument: { readonly uri: string };
}

export interface PipelinesResult {
  readonly pipelines: readonly PipelineModel[];
}

export function portName(port: Port | string): string {
  return typeof port === "string" ? port : port.name;
}
