// The nodes and edges: HTML buttons over an SVG layer, moved and scaled together.

import { duration } from "../../model/duration.ts";
import { ended } from "../../model/events.ts";
import { standsAtCrash, type Run, type StepRun } from "../../model/run.ts";
import { layout, nodeHeight, type Layout, type PlacedEdge, type PlacedNode } from "../layout.ts";
import type { GraphView } from "../messages.ts";
import { phaseNames } from "../timeline.ts";
import { kindIcon, statusIcon } from "./icons.ts";

const svg = "http://www.w3.org/2000/svg";
const smallest = 0.3;
const largest = 2;

export class Picture {
  readonly element = document.createElement("main");
  readonly #stage = document.createElement("div");
  readonly #edges = document.createElementNS(svg, "svg");
  readonly #open: (step: string) => void;
  readonly #buttons = new Map<string, HTMLButtonElement>();
  readonly #lines = new Map<string, SVGGElement>();
  #placed: Layout = { width: 0, height: 0, nodeWidth: 0, nodes: [], edges: [] };
  #shape = "";
  #scale = 1;
  #x = 0;
  #y = 0;
  #moved = false;

  constructor(open: (step: string) => void) {
    this.#open = open;
    this.element.className = "picture";
    this.#stage.className = "stage";
    this.#stage.setAttribute("role", "group");
    this.#edges.setAttribute("class", "edges");
    this.#edges.setAttribute("aria-hidden", "true");
    this.#stage.append(this.#edges);
    this.element.append(this.#stage);
    this.element.addEventListener("keydown", (event) => { this.#key(event); });
    this.element.addEventListener("wheel", (event) => { this.#wheel(event); }, { passive: false });
    this.element.addEventListener("pointerdown", (event) => { this.#drag(event); });
    new ResizeObserver(() => { if (!this.#moved) this.fit(); }).observe(this.element);
  }

  draw(view: GraphView, now: number): void {
    const shape = JSON.stringify([view.nodes, view.edges]);
    if (shape !== this.#shape) {
      this.#shape = shape;
      this.#place(view);
    }
    for (const node of this.#placed.nodes) this.#drawNode(node, view, now);
    for (const edge of this.#placed.edges) this.#drawEdge(edge, view.run);
  }

  zoom(factor: number, x = this.element.clientWidth / 2, y = this.element.clientHeight / 2): void {
    const scale = Math.min(largest, Math.max(smallest, this.#scale * factor));
    this.#x = x - ((x - this.#x) * scale) / this.#scale;
    this.#y = y - ((y - this.#y) * scale) / this.#scale;
    this.#scale = scale;
    this.#moved = true;
    this.#move();
  }

  fit(): void {
    const { clientWidth, clientHeight } = this.element;
    const { width, height } = this.#placed;
    if (width === 0 || clientWidth === 0) return;
    this.#scale = Math.min(1, Math.max(smallest, Math.min(clientWidth / width, clientHeight / height)));
    this.#x = Math.max(0, (clientWidth - width * this.#scale) / 2);
    this.#y = Math.max(0, (clientHeight - height * this.#scale) / 2);
    this.#moved = false;
    this.#move();
  }

  #move(): void {
    this.#stage.style.transform = `translate(${String(this.#x)}px, ${String(this.#y)}px) scale(${String(this.#scale)})`;
  }

  #place(view: GraphView): void {
    this.#placed = layout(view.nodes, view.edges);
    const { width, height, nodeWidth, nodes, edges } = this.#placed;
    this.#stage.style.width = `${String(width)}px`;
    this.#stage.style.height = `${String(height)}px`;
    this.#stage.setAttribute("aria-label", `Steps of ${view.pipeline}. Arrow keys move between steps, Enter opens the source.`);
    this.#edges.setAttribute("viewBox", `0 0 ${String(width)} ${String(height)}`);
    for (const gone of this.#buttons.values()) gone.remove();
    this.#edges.replaceChildren();
    this.#buttons.clear();
    this.#lines.clear();
    for (const edge of edges) this.#addEdge(edge);
    for (const node of nodes) this.#addNode(node, nodeWidth);
    if (!this.#moved) this.fit();
  }

  #addNode(node: PlacedNode, width: number): void {
    const button = document.createElement("button");
    button.className = "node";
    button.tabIndex = this.#buttons.size === 0 ? 0 : -1;
    button.style.left = `${String(node.x)}px`;
    button.style.top = `${String(node.y)}px`;
    button.style.width = `${String(width)}px`;
    button.style.height = `${String(nodeHeight)}px`;
    button.addEventListener("click", () => { this.#open(node.name); });
    button.addEventListener("focus", () => {
      for (const other of this.#buttons.values()) other.tabIndex = other === button ? 0 : -1;
    });
    this.#buttons.set(node.name, button);
    this.#stage.append(button);
  }

  #drawNode(node: PlacedNode, view: GraphView, now: number): void {
    const button = this.#buttons.get(node.name);
    if (button === undefined) return;
    const step = view.run?.steps.find(({ name }) => name === node.name);
    const look = JSON.stringify([node.kind, step, live(step) ? Math.floor(now) : 0, view.run?.run]);
    if (button.dataset.look === look) return;
    button.dataset.look = look;
    const status = step?.status ?? "None";
    button.dataset.status = status;
    button.dataset.phase = phaseOf(step);
    button.dataset.vscodeContext = JSON.stringify(context(node, view, step));
    const busy = busyWith(step);
    const words = busy ? [busy] : [node.kind, note(step, now)].filter(Boolean);
    button.setAttribute("aria-label", `${node.name}, ${node.kind}, ${busy || note(step, now)}`);
    button.title = step?.failure ?? "";
    const texts = document.createElement("span");
    texts.className = "texts";
    texts.append(text("name", node.name), text("words", words.join(" · ")));
    button.replaceChildren(kindIcon(node.kind), texts);
    if (step) button.append(statusIcon(held(step) ? "Held" : status));
    if (step?.cached) button.append(text("badge", "cached"));
  }

  #addEdge(edge: PlacedEdge): void {
    const group = document.createElementNS(svg, "g");
    group.setAttribute("class", `edge ${edge.kinds[0] ?? "data"}`);
    const line = document.createElementNS(svg, "path");
    line.setAttribute("d", edge.path);
    const words = document.createElementNS(svg, "title");
    words.textContent = `${edge.source} → ${edge.target}: ${edge.kinds.join(", ")}`;
    group.append(words, line, arrow(edge.path));
    if (edge.label) group.append(...label(edge));
    this.#lines.set(JSON.stringify([edge.source, edge.target]), group);
    this.#edges.append(group);
  }

  #drawEdge(edge: PlacedEdge, run: Run | undefined): void {
    const group = this.#lines.get(JSON.stringify([edge.source, edge.target]));
    const source = run?.steps.find(({ name }) => name === edge.source);
    const target = run?.steps.find(({ name }) => name === edge.target);
    const taken = source?.status === "Succeeded" && target !== undefined && target.status !== "Skipped";
    const way = edge.label !== "" && source?.outcome ? (source.outcome.toLowerCase() === edge.label ? "taken" : "not-taken") : "";
    group?.setAttribute("data-way", way || (target?.status === "Skipped" ? "not-taken" : taken ? "taken" : ""));
  }

  #key(event: KeyboardEvent): void {
    const focused = [...this.#buttons].find(([, button]) => button === document.activeElement)?.[0];
    const next = this.#neighbour(focused, event.key);
    if (next) this.#focus(next);
    else if (event.key === "+" || event.key === "=") this.zoom(1.2);
    else if (event.key === "-") this.zoom(1 / 1.2);
    else if (event.key === "0") this.fit();
    else return;
    event.preventDefault();
  }

  #focus(step: string): void {
    const button = this.#buttons.get(step);
    button?.focus({ preventScroll: true });
    const box = button?.getBoundingClientRect();
    const frame = this.element.getBoundingClientRect();
    if (box === undefined) return;
    // a step that the keyboard reaches must be seen
    if (box.top < frame.top) this.#y += frame.top - box.top + 8;
    if (box.bottom > frame.bottom) this.#y -= box.bottom - frame.bottom + 8;
    if (box.left < frame.left) this.#x += frame.left - box.left + 8;
    if (box.right > frame.right) this.#x -= box.right - frame.right + 8;
    this.#move();
  }

  #neighbour(from: string | undefined, key: string): string | undefined {
    const { nodes } = this.#placed;
    if (key === "Home") return nodes[0]?.name;
    if (key === "End") return nodes.at(-1)?.name;
    const here = nodes.find(({ name }) => name === from);
    const way = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[key];
    if (here === undefined || way === undefined) return undefined;
    const [dx = 0, dy = 0] = way;
    const ahead = nodes
      .map((node) => ({ node, along: (node.x - here.x) * dx + (node.y - here.y) * dy, aside: Math.abs((node.x - here.x) * dy) + Math.abs((node.y - here.y) * dx) }))
      .filter(({ along }) => along > 1)
      .sort((a, b) => a.along + 2 * a.aside - (b.along + 2 * b.aside));
    return ahead[0]?.node.name;
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) {
      const frame = this.element.getBoundingClientRect();
      this.zoom(Math.exp(-event.deltaY / 300), event.clientX - frame.left, event.clientY - frame.top);
      return;
    }
    this.#x -= event.deltaX;
    this.#y -= event.deltaY;
    this.#moved = true;
    this.#move();
  }

  #drag(down: PointerEvent): void {
    if (down.button !== 0 || (down.target as Element).closest(".node")) return;
    const start = { x: this.#x - down.clientX, y: this.#y - down.clientY };
    const follow = (event: PointerEvent): void => {
      this.#x = start.x + event.clientX;
      this.#y = start.y + event.clientY;
      this.#moved = true;
      this.#move();
    };
    const end = (): void => {
      this.element.removeEventListener("pointermove", follow);
      this.element.removeEventListener("pointerup", end);
    };
    this.element.setPointerCapture(down.pointerId);
    this.element.addEventListener("pointermove", follow);
    this.element.addEventListener("pointerup", end);
  }
}

function live(step: StepRun | undefined): boolean {
  return step !== undefined && step.status !== "Waiting" && !ended(step.status);
}

function phaseOf(step: StepRun | undefined): string {
  if (step && standsAtCrash(step)) return "crashed";
  return live(step) ? step?.spans.at(-1)?.phase ?? "" : "";
}

function held(step: StepRun): boolean {
  return ["breakpoint", "debug", "crashed"].includes(phaseOf(step));
}

/** What stands behind the kind: how long, or how a condition came out. */
function note(step: StepRun | undefined, now: number): string {
  if (step === undefined || step.status === "Waiting") return "";
  if (step.status === "Skipped") return "skipped";
  if (step.outcome) return step.outcome.toLowerCase();
  if (live(step)) return step.started === undefined ? "" : duration(now - step.started);
  return step.cached || step.seconds === undefined ? "" : duration(step.seconds);
}

/** What a step does that is not its own work, or "". */
function busyWith(step: StepRun | undefined): string {
  if (step === undefined || !live(step)) return "";
  if (phaseOf(step) === "crashed") return "crashed, held";
  const phase = step.spans.at(-1)?.phase;
  if (phase === undefined || phase === "run" || phase === "wait") return "";
  const percent = step.progress === undefined ? "" : ` ${String(Math.round(step.progress * 100))} %`;
  return `${phaseNames[phase]}${percent}`;
}

function context(node: PlacedNode, view: GraphView, step: StepRun | undefined): Record<string, unknown> {
  return {
    webviewSection: "step",
    stepState: step?.debugger?.state === "crashed" && live(step) ? "crashed" : live(step) ? "running" : step && ended(step.status) ? "ended" : "idle",
    uri: view.uri,
    pipeline: view.pipeline,
    step: node.name,
    ...(view.run ? { run: view.run.run } : {}),
    preventDefaultContextMenuItems: true,
  };
}

function text(name: string, words: string): HTMLSpanElement {
  const span = document.createElement("span");
  span.className = name;
  span.textContent = words;
  return span;
}

/** A small triangle at the end of an edge; edges end at the upper side of a node, so it points down. */
function arrow(path: string): SVGPathElement {
  const [x = 0, y = 0] = (path.split(/[ MQL]/).filter(Boolean).at(-1) ?? "0,0").split(",").map(Number);
  const head = document.createElementNS(svg, "path");
  head.setAttribute("class", "head");
  head.setAttribute("d", `M${String(x)},${String(y)}l-4,-7h8z`);
  return head;
}

function label({ label: words, labelX, labelY }: PlacedEdge): SVGElement[] {
  const box = document.createElementNS(svg, "rect");
  box.setAttribute("x", String(labelX - 20));
  box.setAttribute("y", String(labelY - 9));
  box.setAttribute("width", "40");
  box.setAttribute("height", "18");
  box.setAttribute("rx", "9");
  const letters = document.createElementNS(svg, "text");
  letters.setAttribute("x", String(labelX));
  letters.setAttribute("y", String(labelY + 4));
  letters.textContent = words;
  return [box, letters];
}
