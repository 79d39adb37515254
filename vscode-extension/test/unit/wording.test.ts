import assert from "node:assert/strict";
import { test } from "node:test";
import { reword } from "../../src/debug/wording.ts";

function reworded(command: string, body: object, success = true): object {
  const message = { seq: 1, type: "response", command, success, body };
  reword(message);
  return message.body;
}

test("an exception has its own name, without remarks on debugpy's frames", () => {
  const exceptionId = "ValueError       (note: full exception trace is shown but execution is paused at: <module>)";
  const stackTrace = '  File "train.py", line 53, in main\n  File "train.py", line 58, in <module> (Current frame)\n    main()';
  assert.deepEqual(reworded("exceptionInfo", { exceptionId, details: { stackTrace } }), {
    exceptionId: "ValueError", details: { stackTrace: '  File "train.py", line 53, in main\n  File "train.py", line 58, in <module>\n    main()' },
  });
  assert.deepEqual(reworded("exceptionInfo", { exceptionId: "KeyError" }), { exceptionId: "KeyError" });
});

test("frames have their function's name", () => {
  assert.deepEqual(reworded("stackTrace", { stackFrames: [{ name: "main" }, { name: "<module> (Current frame)" }] }), { stackFrames: [{ name: "main" }, { name: "<module>" }] });
});

test("other answers, and refusals, stay as they are", () => {
  const body = { variables: [{ name: "x (Current frame)" }] };
  assert.deepEqual(reworded("variables", structuredClone(body)), body);
  assert.deepEqual(reworded("stackTrace", { error: { format: "no" } }, false), { error: { format: "no" } });
});
