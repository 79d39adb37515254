// The page of the graph: takes a view, keeps the elements, passes wishes back. Draws with the editor's theme colours.

import { duration } from "../../model/duration.ts";
import { ended } from "../../model/events.ts";
import type { Run, StepRun } from "../../model/run.ts";
import type { FromPage, GraphView, ToPage } from "../messages.ts";
import { actionIcon } from "./icons.ts";
import { Picture } from "./picture.ts";
import { TimelineTable } from "./table.ts";
import "./style.css";

interface Host {
  postMessage(message: FromPage): void;
  setState(state: unknown): void;
}
declare function acquireVsCodeApi(): Host;

const host = acquireVsCodeApi();
const second = 1000;

const title = element("h1", "title");
const state = element("span", "chip");
const announcements = element("div", "announcements");
announcements.setAttribute("aria-live", "polite");
const picture = new Picture((step) => { host.postMessage({ type: "source", step }); });
const table = new TimelineTable();
const run = button("Run the pipeline", "run", () => { host.postMessage({ type: "run" }); });
const debug = button("Debug the pipeline", "debug", () => { host.postMessage({ type: "debug" }); });
const stop = button("Stop the run", "stop", () => { host.postMessage({ type: "stop" }); });

const bar = element("header", "toolbar");
bar.append(
  title, state, element("span", "gap"), run, debug, stop,
  button("Zoom in", "in", () => { picture.zoom(1.2); }),
  button("Zoom out", "out", () => { picture.zoom(1 / 1.2); }),
  button("Fit to the window", "fit", () => { picture.fit(); }),
);
document.body.append(bar, picture.element, table.element, announcements);

let view: GraphView | undefined;
let clock: number | undefined;

window.addEventListener("message", ({ data }: MessageEvent<ToPage>) => {
  announce(view?.run, data.view.run);
  view = data.view;
  host.setState({ uri: view.uri, pipeline: view.pipeline });
  draw();
});
host.postMessage({ type: "ready" });

function draw(): void {
  if (view === undefined) return;
  const now = Date.now() / 1000;
  const running = view.run !== undefined && !ended(view.run.status);
  title.textContent = view.pipeline;
  drawState(view.run, now);
  run.hidden = debug.hidden = running;
  stop.hidden = !running;
  picture.draw(view, now);
  table.draw(view.run, now);
  // durations of running steps go on between two messages
  window.clearTimeout(clock);
  if (running) clock = window.setTimeout(draw, second);
}

function drawState(current: Run | undefined, now: number): void {
  state.hidden = current === undefined;
  if (current === undefined) return;
  state.dataset.status = current.status;
  const seconds = current.seconds ?? now - current.started;
  state.textContent = `${current.status} ${duration(seconds)}`;
}

/** Says what changed, for those who do not see it. */
function announce(before: Run | undefined, after: Run | undefined): void {
  if (after === undefined || before?.run !== after.run) return;
  const words = after.steps.flatMap((step, index) => changed(before.steps[index], step));
  if (words.length > 0) announcements.textContent = words.join(". ");
}

function changed(before: StepRun | undefined, after: StepRun): string[] {
  if (before?.status === after.status || after.status === "Starting" || after.status === "Waiting") return [];
  return [`${after.name} ${after.status.toLowerCase()}`];
}

function button(label: string, icon: string, action: () => void): HTMLButtonElement {
  const made = element("button", "tool");
  made.title = label;
  made.setAttribute("aria-label", label);
  made.append(actionIcon(icon));
  made.addEventListener("click", action);
  return made;
}

function element<Tag extends keyof HTMLElementTagNameMap>(tag: Tag, name: string): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  made.className = name;
  return made;
}
