import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "../../src/common/backoff.ts";

test("each early end doubles the pause, up to half a minute", () => {
  const backoff = new Backoff(() => 0);
  const pauses = Array.from({ length: 8 }, () => {
    backoff.started();
    return backoff.ended();
  });
  assert.deepEqual(pauses, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
});

test("a server that lived for a minute starts again at once", () => {
  let now = 0;
  const backoff = new Backoff(() => now);
  backoff.started();
  backoff.ended();
  backoff.started();
  backoff.ended();
  backoff.started();
  now = 60_000;
  assert.equal(backoff.ended(), 500);
  assert.equal(backoff.failures, 1);
});
