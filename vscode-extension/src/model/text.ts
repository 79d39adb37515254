// Messages of the tool as one line for a notification. Pure.

/** The step could not start because no container engine answers (bridge/stepbridge/engines/docker.py). */
export function lacksEngine(failure: string): boolean {
  return failure.includes("No container engine answers");
}

/** The same for a person in VS Code, where a button does what the tool's hint says. `processes`: steps may run without. */
export function engineMissing(step: string, failure: string, processes: boolean): string {
  const problem = /No container engine answers(?: at \S+(?: \([^)]*\))?)?/.exec(failure)?.[0] ?? "No container engine answers";
  return `Step ${step} did not start. ${problem}. Start Docker${processes ? ", or let local processes run the steps" : ""}.`;
}

/** "Problem\n  Hint" becomes "Problem. Hint"; a sentence that has its end keeps it. */
export function sentence(message: string): string {
  const lines = message.split("\n").map((line) => line.trim()).filter(Boolean);
  return lines.map((line, index) => (index < lines.length - 1 && !/[.:!?]$/.test(line) ? `${line}.` : line)).join(" ");
}

/** Plain text that stays itself in Markdown: no links, no emphasis, no icons. */
export function escaped(text: string): string {
  return text.replace(/\s+/g, " ").replace(/[\\`*_{}[\]()#+\-.!|<>$&~]/g, (sign) => (sign === "<" ? "&lt;" : sign === ">" ? "&gt;" : sign === "&" ? "&amp;" : `\\${sign}`));
}

/** A Markdown link that runs a command of VS Code. */
export function link(title: string, command: string, ...args: readonly unknown[]): string {
  const query = args.length > 0 ? `?${encodeURIComponent(JSON.stringify(args)).replace(/[()]/g, (sign) => (sign === "(" ? "%28" : "%29"))}` : "";
  return `[${title}](command:${command}${query})`;
}
