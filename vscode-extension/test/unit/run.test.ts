import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunEvent } from "../../src/model/events.ts";
import { apply, fromHistory, reason, summary, type Run, type StepRun } from "../../src/model/run.ts";

const run = "abc123def456";
const begun: RunEvent = {
  event: "run-started", run, time: 100, pipeline: "wine", arn: "arn", parameters: { Trees: 100 }, program: "/p/pipeline.py",
  steps: [
    { name: "Train", type: "Training" },
    { name: "Good", type: "Condition", needs: ["Train"] },
    { name: "Weak", type: "Fail", needs: ["Good"], branch: ["Good", false] },
  ],
};

function folded(...events: RunEvent[]): Run {
  const result = [begun, ...events].reduce<Run | undefined>(apply, undefined);
  assert.ok(result);
  return result;
}

function step(of: Run, name: string): StepRun {
  const found = of.steps.find((one) => one.name === name);
  assert.ok(found);
  return found;
}

test("a run begins with all its steps waiting", () => {
  const started = folded();
  assert.deepEqual(started.steps.map(({ name, status }) => [name, status]), [["Train", "Waiting"], ["Good", "Waiting"], ["Weak", "Waiting"]]);
  assert.deepEqual(step(started, "Weak").branch, ["Good", false]);
});

test("phases become spans without gaps, and a repeated phase only moves its progress", () => {
  const now = folded(
    { event: "step-started", run, time: 101, step: "Train" },
    { event: "step-phase", run, time: 101, step: "Train", phase: "pull", progress: 0.1 },
    { event: "step-phase", run, time: 102, step: "Train", phase: "pull", progress: 0.9 },
    { event: "step-phase", run, time: 103, step: "Train", phase: "run" },
    { event: "step-finished", run, time: 109, step: "Train", status: "Succeeded", seconds: 8, outputs: { model: "s3://b/m" } },
  );
  const train = step(now, "Train");
  assert.equal(train.status, "Succeeded");
  assert.equal(train.seconds, 8);
  assert.deepEqual(train.spans, [
    { phase: "wait", from: 100, to: 101 },
    { phase: "start", from: 101, to: 101 },
    { phase: "pull", from: 101, to: 103 },
    { phase: "run", from: 103, to: 109 },
  ]);
});

test("a step that is staging or stopped in the debugger is not waiting", () => {
  const staged = folded({ event: "step-started", run, time: 101, step: "Train" }, { event: "step-phase", run, time: 101, step: "Train", phase: "stage" });
  assert.equal(step(staged, "Train").status, "Starting");
  const held = apply(staged, { event: "step-phase", run, time: 103, step: "Train", phase: "breakpoint" });
  assert.equal(step(held ?? staged, "Train").status, "Executing");
});

test("a second attempt forgets the failure of the first, and keeps its time on the axis", () => {
  const now = folded(
    { event: "step-started", run, time: 101, step: "Train" },
    { event: "step-debug", run, time: 102, step: "Train", state: "crashed", error: "ValueError: x" },
    { event: "step-finished", run, time: 103, step: "Train", status: "Failed", seconds: 2, failure: "ValueError: x" },
    { event: "step-started", run, time: 104, step: "Train", attempt: 2 },
  );
  const train = step(now, "Train");
  assert.deepEqual([train.status, train.failure, train.attempt, train.debugger], ["Starting", "", 2, undefined]);
  assert.equal(train.spans.length, 3);
});

test("a skipped branch has no time", () => {
  const now = folded({ event: "step-finished", run, time: 105, step: "Weak", status: "Skipped", seconds: 0 });
  assert.deepEqual(step(now, "Weak").spans, []);
});

test("the end of the run closes what is open", () => {
  const now = folded({ event: "run-finished", run, time: 110, status: "Stopped", seconds: 10 });
  assert.deepEqual(step(now, "Train").spans, [{ phase: "wait", from: 100, to: 110 }]);
});

test("log lines change nothing, so that no view draws for them", () => {
  const before = folded();
  assert.equal(apply(before, { event: "step-log", run, time: 101, step: "Train", stream: "stdout", line: "x" }), before);
});

test("events of a run whose start was not seen are dropped", () => {
  assert.equal(apply(undefined, { event: "step-started", run, time: 1, step: "Train" }), undefined);
});

test("a run of the history has the same shape", () => {
  const read = fromHistory({
    run, pipeline: "wine", status: "Failed", started: 100, seconds: 12, parameters: {}, program: null,
    steps: [
      { name: "Train", type: "Training", status: "Failed", started: 103, seconds: 9, failure: "boom", log: "/log.txt" },
      { name: "Good", type: "Condition", status: "Waiting", started: null, seconds: null, needs: ["Train"], branch: null },
    ],
  });
  assert.deepEqual(read.steps.map(({ spans }) => spans), [[{ phase: "wait", from: 100, to: 103 }, { phase: "run", from: 103, to: 112 }], []]);
  assert.equal(read.steps[0]?.log, "/log.txt");
  assert.deepEqual(read.steps[1]?.needs, ["Train"]);
  assert.equal("program" in read, false);
});

test("the reason of a failure is its last exception, not the traceback's head", () => {
  assert.equal(reason("Traceback (most recent call last):\n  File \"train.py\", line 3\nKeyError: 'a'\n\nDuring handling\n\nValueError: no column"), "ValueError: no column");
  assert.equal(reason("AlgorithmError: ExitCode 1"), "AlgorithmError: ExitCode 1");
  assert.equal(reason("no space left on device\n"), "no space left on device");
  assert.equal(reason(""), "failed");
});

test("summaries of two runs differ only where the runs do", () => {
  const text = summary(folded({ event: "step-finished", run, time: 109, step: "Train", status: "Succeeded", seconds: 8.25, cached: true, outputs: { b: "s3://2", a: "s3://1" } }));
  assert.ok(!text.includes(run));
  assert.match(text, /Trees: 100/);
  assert.match(text, /status: Succeeded \(cached\)\n {4}seconds: 8\.3\n {4}output a: s3:\/\/1\n {4}output b/);
});
