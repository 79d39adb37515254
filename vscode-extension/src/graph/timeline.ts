// The timeline of a run: one row per step that has begun, its stretches as fractions of the whole. Pure.

import { duration } from "../model/duration.ts";
import { ended } from "../model/events.ts";
import type { Run, Span } from "../model/run.ts";

export interface Bar {
  readonly phase: Span["phase"];
  /** Fractions of the axis, 0 to 1. */
  readonly from: number;
  readonly to: number;
  readonly label: string;
}

export interface Row {
  readonly step: string;
  readonly bars: readonly Bar[];
  /** The row in words, for a screen reader. */
  readonly label: string;
}

export interface Tick {
  readonly at: number;
  readonly label: string;
}

export interface Timeline {
  readonly rows: readonly Row[];
  readonly ticks: readonly Tick[];
}

export const phaseNames: Record<Span["phase"], string> = {
  wait: "waits for other steps",
  pull: "pulls the image",
  stage: "stages inputs",
  start: "starts",
  debug: "waits for the debugger",
  run: "runs",
  collect: "collects outputs",
  breakpoint: "stopped in the debugger",
};

const gaps = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400];

/** `now` in seconds since the epoch closes the spans that are open. */
export function timeline(run: Run, now: number): Timeline {
  const end = run.seconds === undefined || !ended(run.status) ? Math.max(now, run.started) : run.started + run.seconds;
  const whole = Math.max(end - run.started, 0.5);
  const rows = run.steps
    .filter(({ spans }) => spans.some(({ phase }) => phase !== "wait"))
    .sort((a, b) => (a.started ?? Infinity) - (b.started ?? Infinity))
    .map(({ name, spans }) => {
      const bars = spans.map((span) => bar(span, run.started, whole, end));
      return { step: name, bars, label: `${name}: ${bars.map(({ label }) => label).join(", ")}` };
    });
  return { rows, ticks: ticks(whole) };
}

function bar({ phase, from, to }: Span, start: number, whole: number, end: number): Bar {
  const until = to ?? end;
  return {
    phase,
    from: within((from - start) / whole),
    to: within((until - start) / whole),
    label: `${phaseNames[phase]} ${duration(until - from)}`,
  };
}

function ticks(whole: number): Tick[] {
  const gap = gaps.find((one) => whole / one <= 6) ?? 86_400 * Math.ceil(whole / 86_400 / 6);
  const count = Math.floor(whole / gap);
  return Array.from({ length: count + 1 }, (_, index) => ({ at: (index * gap) / whole, label: index === 0 ? "0" : short(index * gap) }));
}

function short(seconds: number): string {
  if (seconds < 60) return `${String(seconds)} s`;
  if (seconds < 3600) return `${String(seconds / 60)} min`;
  return `${String(seconds / 3600)} h`;
}

function within(fraction: number): number {
  return Math.min(1, Math.max(0, fraction));
}
