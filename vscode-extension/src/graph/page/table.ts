// The timeline below the picture.

import type { Run, Span } from "../../model/run.ts";
import { phaseNames, timeline, type Row } from "../timeline.ts";

export class TimelineTable {
  readonly element = document.createElement("section");
  readonly #rows = document.createElement("div");
  readonly #legend = document.createElement("div");

  constructor() {
    this.element.className = "timeline";
    this.element.setAttribute("aria-label", "Timeline");
    this.element.hidden = true;
    this.#rows.className = "rows";
    this.#rows.setAttribute("role", "list");
    this.#legend.className = "legend";
    this.#legend.setAttribute("aria-hidden", "true");
    this.element.append(this.#rows, this.#legend);
  }

  draw(run: Run | undefined, now: number): void {
    const { rows, ticks } = run ? timeline(run, now) : { rows: [], ticks: [] };
    this.element.hidden = rows.length === 0;
    const axis = element("div", "axis");
    axis.setAttribute("aria-hidden", "true");
    for (const { at, label } of ticks) {
      const tick = element("span", "tick");
      tick.style.left = percent(at);
      tick.textContent = label;
      axis.append(tick);
    }
    const head = element("div", "row");
    head.append(element("span", "step"), axis);
    this.#rows.replaceChildren(head, ...rows.map(drawnRow));
    const phases = new Set(rows.flatMap(({ bars }) => bars.map(({ phase }) => phase)));
    this.#legend.replaceChildren(...[...phases].map(legend));
  }
}

function drawnRow({ step, bars, label }: Row): HTMLElement {
  const row = element("div", "row");
  row.setAttribute("role", "listitem");
  row.setAttribute("aria-label", label);
  const name = element("span", "step");
  name.textContent = step;
  const track = element("span", "track");
  for (const { phase, from, to, label: words } of bars) {
    const bar = element("span", "bar");
    bar.dataset.phase = phase;
    bar.style.left = percent(from);
    bar.style.width = percent(to - from);
    bar.title = `${step} ${words}`;
    track.append(bar);
  }
  row.append(name, track);
  return row;
}

function legend(phase: Span["phase"]): HTMLElement {
  const entry = element("span", "entry");
  const colour = element("span", "bar");
  colour.dataset.phase = phase;
  entry.append(colour, phaseNames[phase]);
  return entry;
}

function percent(fraction: number): string {
  return `${(fraction * 100).toFixed(2)}%`;
}

function element(tag: string, name: string): HTMLElement {
  const made = document.createElement(tag);
  made.className = name;
  return made;
}
