import assert from "node:assert/strict";
import { test } from "node:test";
import { complaint, missing, overrides, parseValue, proposal, typed } from "../../src/model/parameters.ts";
import type { ParameterModel, ParameterType } from "../../src/model/pipeline.ts";

const nowhere = { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } };

function parameter(name: string, type: ParameterType, more: Partial<ParameterModel> = {}): ParameterModel {
  return { name, type, range: nowhere, ...more };
}

test("text becomes the parameter's type", () => {
  assert.equal(parseValue(parameter("a", "Integer"), " -12 "), -12);
  assert.equal(parseValue(parameter("a", "Float"), "1e-3"), 0.001);
  assert.equal(parseValue(parameter("a", "Boolean"), "True"), true);
  assert.equal(parseValue(parameter("a", "String"), "007"), "007");
});

const wrong: readonly [ParameterModel, string, RegExp][] = [
  [parameter("a", "Integer"), "1.5", /whole number/],
  [parameter("a", "Float"), "", /number/],
  [parameter("a", "Float"), "Infinity", /number/],
  [parameter("a", "Boolean"), "yes", /true or false/],
  [parameter("a", "String"), "", /at least one/i],
  [parameter("a", "String", { enum: ["x", "y"] }), "z", /One of x, y/],
];
for (const [model, text, expected] of wrong) {
  test(`${model.type ?? "any"} refuses ${JSON.stringify(text)}`, () => { assert.match(complaint(model, text) ?? "", expected); });
}

test("the last value is proposed while it fits, else the default", () => {
  const model = parameter("Type", "String", { enum: ["a", "b"], default: "a" });
  assert.equal(proposal(model, { Type: "b" }), "b");
  assert.equal(proposal(model, { Type: "gone" }), "a");
  assert.equal(proposal(parameter("Needed", "String"), {}), undefined);
});

test("only parameters without default and value are missing; false and 0 are values", () => {
  const all = [parameter("a", "String"), parameter("b", "Boolean", { default: false }), parameter("c", "Integer", { default: 0 }), parameter("d", "String", { default: null })];
  assert.deepEqual(missing(all, { d: "x" }).map(({ name }) => name), ["a"]);
});

test("values equal to the defaults are left out of the launch", () => {
  const all = [parameter("a", "Integer", { default: 3 }), parameter("b", "Integer", { default: 3 })];
  assert.deepEqual(overrides(all, { a: 3, b: 4 }), { b: 4 });
});

test("values that a run recorded as text get their types back", () => {
  const all = [parameter("a", "Integer"), parameter("b", "Boolean"), parameter("c", "String")];
  assert.deepEqual(typed(all, { a: "3", b: "true", c: "3", d: "x" }), { a: 3, b: true, c: "3", d: "x" });
  assert.deepEqual(typed(all, { a: "many" }), { a: "many" });
});
