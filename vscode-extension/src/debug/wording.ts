// What debugpy says of a crash that is looked at after the fact, in words for a person: its remarks about frames that
// it counts as current tell of its own inner state, and VS Code shows them as the exception's name. Pure.

import type { DebugProtocol } from "@vscode/debugprotocol";

const pausedAt = /\s*\(note: full exception trace is shown but execution is paused at: [^)]*\)$/;
const current = / \(Current frame\)$/;

/** Takes the remarks out of a message on its way to VS Code; other messages stay as they are. */
export function reword(message: DebugProtocol.ProtocolMessage): void {
  if (message.type !== "response") return;
  const response = message as DebugProtocol.Response;
  if (!response.success) return;
  if (response.command === "exceptionInfo") {
    const body = response.body as { exceptionId?: string; details?: { stackTrace?: string } };
    if (body.exceptionId) body.exceptionId = body.exceptionId.replace(pausedAt, "");
    if (body.details?.stackTrace) body.details.stackTrace = body.details.stackTrace.replaceAll(/ \(Current frame\)$/gm, "");
  } else if (response.command === "stackTrace") {
    for (const frame of (response.body as { stackFrames?: { name: string }[] }).stackFrames ?? []) frame.name = frame.name.replace(current, "");
  }
}
