// Values for pipeline parameters: reading what a person typed, and saying what is wrong with it. Pure.

import type { ParameterModel, ParameterValue } from "./pipeline.ts";

export type ParameterValues = Readonly<Record<string, ParameterValue>>;

/** The typed value of `text`; throws an Error whose message is fit for the input box. */
export function parseValue(parameter: ParameterModel, text: string): ParameterValue {
  if (parameter.enum?.length && !parameter.enum.includes(text)) {
    throw new Error(`One of ${parameter.enum.join(", ")}.`);
  }
  switch (parameter.type) {
    case "Integer":
      if (!/^\s*[+-]?\d+\s*$/.test(text)) throw new Error("A whole number, such as 10.");
      return Number(text);
    case "Float": {
      const value = Number(text);
      if (text.trim() === "" || !Number.isFinite(value)) throw new Error("A number, such as 0.1.");
      return value;
    }
    case "Boolean": {
      const value = text.trim().toLowerCase();
      if (value !== "true" && value !== "false") throw new Error("true or false.");
      return value === "true";
    }
    case "String":
    case null:
      // the service refuses empty strings
      if (text === "") throw new Error("At least one character.");
      return text;
  }
}

/** `values` with the parameters' types: a run's record holds them as text. What does not fit stays as it is. */
export function typed(parameters: readonly ParameterModel[], values: ParameterValues): ParameterValues {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => {
    const parameter = parameters.find((one) => one.name === name);
    return [name, parameter && complaint(parameter, String(value)) === undefined ? parseValue(parameter, String(value)) : value];
  }));
}

export function complaint(parameter: ParameterModel, text: string): string | undefined {
  try {
    parseValue(parameter, text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** What the input box starts with: the last value where it still fits, else the default. */
export function proposal(parameter: ParameterModel, last: ParameterValues): ParameterValue | undefined {
  const remembered = last[parameter.name];
  if (remembered !== undefined && complaint(parameter, String(remembered)) === undefined) return remembered;
  return parameter.default ?? undefined;
}

/** Parameters that must be asked for: they have no default, and `given` does not name them. */
export function missing(parameters: readonly ParameterModel[], given: ParameterValues): ParameterModel[] {
  return parameters.filter(({ name, default: value }) => (value === undefined || value === null) && !(name in given));
}

/** Only what differs from the defaults: a launch stays readable and follows a default that changes later. */
export function overrides(parameters: readonly ParameterModel[], values: ParameterValues): ParameterValues {
  return Object.fromEntries(
    parameters.flatMap(({ name, default: value }) => {
      const chosen = values[name];
      return chosen === undefined || chosen === value ? [] : [[name, chosen]];
    }),
  );
}
