import assert from "node:assert/strict";
import { test } from "node:test";
import { client, completed, fileOf, isChild, launchName, programOf } from "../../src/debug/launch.ts";
import { parseListening } from "../../src/debug/listening.ts";
import { ago, duration } from "../../src/model/duration.ts";
import { engineMissing, sentence } from "../../src/model/text.ts";

const defaults = { engine: "auto", python: "/venv/bin/python", postMortem: true, token: "secret" };

test("the first line of the debug server", () => {
  assert.deepEqual(parseListening("stepbridge dap listening on 127.0.0.1:4711 token=abc-_1"), { port: 4711, token: "abc-_1" });
  assert.deepEqual(parseListening("stepbridge dap listening on 127.0.0.1:80"), { port: 80, token: "" });
  assert.equal(parseListening("listening on 127.0.0.1:80"), undefined);
});

test("a launch is completed with what the user left out, and announces the extension", () => {
  const launch = completed({ type: "stepbridge", request: "launch", name: "x", program: "/p.py", engine: "process" }, defaults);
  assert.deepEqual(launch, {
    type: "stepbridge", request: "launch", name: "x", program: "/p.py", engine: "process",
    postMortem: true, python: "/venv/bin/python", __client: client, __token: "secret",
  });
});

test("what the user set stays, also when it is false", () => {
  const launch = completed({ type: "stepbridge", request: "launch", name: "x", program: "/p.py", python: "py", postMortem: false }, { ...defaults, python: undefined });
  assert.equal(launch.python, "py");
  assert.equal(launch.postMortem, false);
});

test("the engine is the configuration's, else the setting's, else left to stepbridge.toml", () => {
  const launch = { type: "stepbridge", request: "launch", name: "x", program: "/p.py" } as const;
  assert.equal(completed({ ...launch, engine: "docker" }, { ...defaults, engine: "process" }).engine, "docker");
  assert.equal(completed(launch, { ...defaults, engine: "process" }).engine, "process");
  assert.equal("engine" in completed(launch, defaults), false);
});

test("an attach gets no launch settings", () => {
  const attach = completed({ type: "stepbridge", request: "attach", name: "x", execution: "latest", step: "Train" }, defaults);
  assert.equal("engine" in attach, false);
  assert.equal(attach.__token, "secret");
});

test("children are known by the run that they belong to", () => {
  assert.equal(isChild({ type: "stepbridge", request: "attach", __run: "r", __step: "Train", __pid: 7 }), true);
  assert.equal(isChild({ type: "stepbridge", request: "attach", step: "Train" }), false);
});

test("programs with a function or one of several variables", () => {
  assert.equal(programOf("/p.py"), "/p.py");
  assert.equal(programOf("/p.py", { function: "get_pipeline" }), "/p.py:get_pipeline");
  assert.equal(programOf("/p.py", { variable: "wine" }), "/p.py");
  assert.equal(programOf("/p.py", { variable: "wine" }, true), "/p.py:wine");
  assert.equal(fileOf("/p.py:get_pipeline"), "/p.py");
  assert.equal(fileOf("C:\\p.py"), "C:\\p.py");
});

test("names of sessions", () => {
  assert.equal(launchName("wine", {}), "wine");
  assert.equal(launchName("wine", { steps: ["Train", "Evaluate"] }), "wine: Train, Evaluate");
  assert.equal(launchName("wine", { fromStep: "Train" }), "wine: from Train");
});

test("durations and moments", () => {
  assert.deepEqual([0, 0.449, 12.34, 59.99, 65, 3725].map(duration), ["0.0 s", "0.4 s", "12.3 s", "59.9 s", "1 min 05 s", "1 h 02 min"]);
  assert.deepEqual([10, 100, 7200].map((seconds) => ago(10_000 - seconds, 10_000)), ["just now", "2 min ago", "2 h ago"]);
});

test("a problem and its hint are one line", () => {
  assert.equal(sentence("No engine answers\n  Start Docker."), "No engine answers. Start Docker.");
  assert.equal(sentence("Two things:\n a\n b."), "Two things: a. b.");
});

test("a step without an engine says where none answers, and what to do", () => {
  const failure = "ClientError: No container engine answers at unix:///nowhere/docker.sock (No such file or directory) Start Docker, set DOCKER_HOST to your engine, or use --engine process.";
  const place = "No container engine answers at unix:///nowhere/docker.sock (No such file or directory).";
  assert.equal(engineMissing("Train", failure, true), `Step Train did not start. ${place} Start Docker, or let local processes run the steps.`);
  assert.equal(engineMissing("Train", "No container engine answers on this machine", false), "Step Train did not start. No container engine answers. Start Docker.");
});
