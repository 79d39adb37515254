import assert from "node:assert/strict";
import { test } from "node:test";
import { engineOf, engineOfRun, engineWords, type Engine } from "../../src/model/engine.ts";
import { apply, type Run } from "../../src/model/run.ts";
import { details, headline, tooltipCommands, type Standing } from "../../src/model/standing.ts";
import { escaped, link } from "../../src/model/text.ts";
import type { RunEvent } from "../../src/model/events.ts";

const report = (finding: object): string => JSON.stringify([{ subject: "workspace", state: "ok", text: "/p" }, { subject: "engine", state: "ok", advice: "", ...finding }]);
const docker: Engine = { name: "docker", version: "20.10.24+dfsg1", reason: "docker 20.10.24+dfsg1 answers" };
const none: Engine = { name: "none", version: "", reason: "No container engine answers at unix:///nowhere" };

const run = "abc123def456";
function wine(...events: object[]): Run {
  const begun = { event: "run-started", run, time: 100, pipeline: "wine", arn: "arn", parameters: {}, steps: ["Left", "Right", "Third"].map((name) => ({ name, type: "Training" })) };
  const folded = [begun, ...events].reduce<Run | undefined>((before, event) => apply(before, { run, time: 101, ...event } as RunEvent), undefined);
  assert.ok(folded);
  return folded;
}

function standing(more: Partial<Standing> = {}): Standing {
  return { tool: { command: "/bin/stepbridge", version: "0.1.0" }, engine: docker, servers: new Map(), runs: [], trusted: true, ...more };
}

test("the engine is what doctor says it is", () => {
  assert.deepEqual(engineOf(report({ text: "docker: docker 20.10.24+dfsg1 answers", facts: { name: "docker", version: "20.10.24+dfsg1" } })), docker);
  assert.deepEqual(engineOf(report({ state: "missing", text: none.reason })), none);
  assert.equal(engineOf(report({ text: "docker: docker answers" })), undefined); // an older tool
  assert.equal(engineOf("[]"), undefined);
});

test("engines have a name and a version that a person reads", () => {
  assert.equal(engineWords(docker), "Docker 20.10.24");
  assert.equal(engineWords({ name: "podman", version: "4.9.3" }), "Podman 4.9.3");
  assert.equal(engineWords({ name: "podman", version: "" }), "Podman");
  assert.equal(engineWords({ name: "process", version: "" }), "local processes");
  assert.equal(engineWords(none), "no engine");
});

test("a run that got another engine than the next one would get says its own", () => {
  assert.equal(engineOfRun("docker", docker), docker);
  assert.equal(engineOfRun(undefined, docker), docker);
  assert.equal(engineOfRun("process", none)?.name, "process");
  const started = wine({ event: "step-started", step: "Left" }, { event: "step-job", step: "Left", arn: "a", engine: "process" });
  assert.equal(headline(standing({ engine: none, runs: [started] })).text, "$(sync~spin) Left · local processes");
});

test("the line says the engine while nothing runs, and the running steps with it", () => {
  assert.deepEqual(headline(standing()), { text: "$(pass) StepBridge: Docker 20.10.24" });
  assert.deepEqual(headline({ ...standing(), engine: undefined } as unknown as Standing), { text: "$(pass) StepBridge" });
  assert.equal(headline(standing({ runs: [wine()] })).text, "$(sync~spin) wine · Docker 20.10.24");
  const both = wine({ event: "step-started", step: "Left" }, { event: "step-started", step: "Right" });
  assert.equal(headline(standing({ runs: [both] })).text, "$(sync~spin) Left, Right · Docker 20.10.24");
  const three = apply(both, { event: "step-started", run, time: 102, step: "Third" });
  assert.equal(headline(standing({ runs: three ? [three] : [] })).text, "$(sync~spin) Left, Right and 1 more · Docker 20.10.24");
});

test("errors come before what runs", () => {
  assert.deepEqual(headline(standing({ tool: null })), { text: "$(warning) StepBridge: not installed", severity: "warning" });
  assert.deepEqual(headline(standing({ engine: none })), { text: "$(warning) StepBridge: no engine", severity: "warning" });
  assert.deepEqual(headline(standing({ servers: new Map([["debug server", "failing"]]) })), { text: "$(error) StepBridge: debug server fails", severity: "error" });
  const crashed = wine({ event: "step-started", step: "Left" }, { event: "step-started", step: "Right" }, { event: "step-debug", step: "Right", state: "crashed", error: "ValueError: no" });
  assert.deepEqual(headline(standing({ runs: [crashed] })), { text: "$(bug) Right crashed · Docker 20.10.24", severity: "error" });
  // an editor that stands at the raising line counts as attached
  const looked = apply(crashed, { event: "step-debug", run, time: 103, step: "Right", state: "attached", line: 7, error: "ValueError: no" });
  assert.equal(headline(standing({ runs: looked ? [looked] : [] })).text, "$(bug) Right crashed · Docker 20.10.24");
  const failed = wine({ event: "step-finished", step: "Left", status: "Failed", seconds: 1, failure: "ValueError: no" }, { event: "run-finished", status: "Failed", seconds: 2 });
  assert.deepEqual(headline(standing({ runs: [failed] })), { text: "$(error) Left failed · Docker 20.10.24" });
});

test("the tooltip says why, and offers what helps", () => {
  const failed = wine({ event: "step-finished", step: "Left", status: "Failed", seconds: 1, failure: "ValueError: no" }, { event: "run-finished", status: "Failed", seconds: 2 });
  const told = details(standing({ runs: [failed] }));
  assert.match(told, /Steps run in \*\*Docker 20\.10\.24\*\*/);
  assert.match(told, /\*\*wine\*\* failed: Left: ValueError: no .*\[Show Log\]\(command:stepbridge\.showLog\?/);
  assert.match(details(standing({ engine: none })), /No container engine answers.*Start Docker.*\[Look Again\]\(command:stepbridge\.refresh\)/);
  const unserved = wine({ event: "step-finished", step: "Left", status: "Failed", seconds: 0, failure: "ClientError: No container engine answers at x. Start Docker" }, { event: "run-finished", status: "Failed", seconds: 0 });
  assert.match(details(standing({ engine: none, runs: [unserved] })), /\*\*wine\*\* failed: Left: no container engine answered /);
  assert.match(details(standing({ runs: [wine({ event: "step-started", step: "Left" })] })), /runs Left .*\[Stop\]\(command:stepbridge\.stopRun\?/);
  assert.match(details(standing({ servers: new Map([["language server", "failing"]]) })), /language server keeps ending\..*\[Restart\]/);
  const without = { ...standing({ tool: null }), engine: undefined } as unknown as Standing;
  assert.match(details(without), /not installed.*\[Install\]\(command:stepbridge\.install\)/);
  const untrusted = details(standing({ trusted: false }));
  assert.match(untrusted, /not trusted.*\[Manage Trust\]/);
  assert.doesNotMatch(untrusted, /stepbridge\.run|Steps run in/);
});

test("a tooltip holds no command that it may not run", () => {
  const failed = wine({ event: "step-finished", step: "Left", status: "Failed", seconds: 1, failure: "no" }, { event: "run-finished", status: "Failed", seconds: 2 });
  const servers: Standing["servers"] = new Map([["language server", "failing"]]);
  const texts = [standing({ runs: [wine(), failed], servers }), standing({ engine: none }), standing({ tool: null }), standing({ trusted: false })].map(details);
  const used = new Set(texts.flatMap((text) => [...text.matchAll(/\(command:([\w.]+)/g)].map(([, command]) => command)));
  assert.deepEqual([...used].sort(), [...tooltipCommands].sort());
});

test("what a script printed cannot become a link or an icon", () => {
  assert.equal(escaped("[a](command:b) $(bug) <b>"), "\\[a\\]\\(command:b\\) \\$\\(bug\\) &lt;b&gt;");
  assert.equal(link("Log", "x.y", { step: "a (b)" }), "[Log](command:x.y?%5B%7B%22step%22%3A%22a%20%28b%29%22%7D%5D)");
});
