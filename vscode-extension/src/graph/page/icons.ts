// The icons of the picture: 16 by 16, drawn with strokes in the text's colour.

const svg = "http://www.w3.org/2000/svg";

const kinds: Record<string, string> = {
  Training: "M2 13.5h12 M3 11c2.5 0 3-7.5 10-8",
  Processing: "M2.5 4h11 M4.5 8h7 M6.5 12h3",
  Transform: "M2 5h10 M9.5 2.5 12 5 9.5 7.5 M14 11H4 M6.5 8.5 4 11l2.5 2.5",
  Tuning: "M4 2v5 M4 10v4 M8 2v2 M8 7v7 M12 2v7 M12 12v2 M2.5 8.5h3 M6.5 5.5h3 M10.5 10.5h3",
  Model: "M8 1.8 13.5 5v6L8 14.2 2.5 11V5z M2.5 5 8 8.2 13.5 5 M8 8.2v6",
  RegisterModel: "M2.5 3h11v3h-11z M3.5 6v7h9V6 M6.5 8.5h3",
  Condition: "M8 1.8 14.2 8 8 14.2 1.8 8z M8 5.5v3 M8 10.3v.4",
  Fail: "M5.4 2h5.2L14 5.4v5.2L10.6 14H5.4L2 10.6V5.4z M6 6l4 4 M10 6l-4 4",
  Lambda: "M3.5 2.5H6l6 11 M7.8 6 4 13.5",
  Callback: "M13 4v4.5a2 2 0 0 1-2 2H3.5 M6.5 7.5l-3 3 3 3",
  QualityCheck: "M2.5 4 4 5.5 6.5 3 M2.5 10.5 4 12l2.5-2.5 M9 4.5h5 M9 11h5",
  ClarifyCheck: "M2.5 4 4 5.5 6.5 3 M2.5 10.5 4 12l2.5-2.5 M9 4.5h5 M9 11h5",
  EMR: "M2.5 3h11v4h-11z M2.5 9h11v4h-11z M5 5h.1 M5 11h.1",
};
const otherKind = "M8 2.5a5.5 5.5 0 1 0 .1 0z";

const statuses: Record<string, string> = {
  Waiting: "M8 2.5a5.5 5.5 0 1 0 .1 0z",
  Starting: "M8 2.5a5.5 5.5 0 0 1 5.5 5.5",
  Executing: "M8 2.5a5.5 5.5 0 0 1 5.5 5.5",
  Stopping: "M5 5h6v6H5z",
  Stopped: "M5 5h6v6H5z",
  Succeeded: "M3 8.5 6.5 12 13 4.5",
  Failed: "M4 4l8 8 M12 4l-8 8",
  Skipped: "M3 8h10",
  Held: "M5.5 3.5v9 M10.5 3.5v9",
};

const actions: Record<string, string> = {
  run: "M4.5 2.5v11l9-5.5z",
  debug: "M3 2.5v11 M6 2.5v11l8-5.5z",
  stop: "M4 4h8v8H4z",
  fit: "M2.5 6V2.5H6 M10 2.5h3.5V6 M13.5 10v3.5H10 M6 13.5H2.5V10",
  in: "M8 3v10 M3 8h10",
  out: "M3 8h10",
};

export function kindIcon(kind: string): SVGSVGElement {
  return drawn(kinds[kind] ?? otherKind, "kind");
}

export function statusIcon(status: string): SVGSVGElement {
  return drawn(statuses[status] ?? statuses.Waiting ?? "", "status");
}

export function actionIcon(action: string): SVGSVGElement {
  return drawn(actions[action] ?? "", "action");
}

function drawn(path: string, name: string): SVGSVGElement {
  const element = document.createElementNS(svg, "svg");
  element.setAttribute("viewBox", "0 0 16 16");
  element.setAttribute("class", `icon ${name}`);
  element.setAttribute("aria-hidden", "true");
  const line = document.createElementNS(svg, "path");
  line.setAttribute("d", path);
  element.append(line);
  return element;
}
