// The first line that the debug server prints. Pure.

export interface Listening {
  readonly port: number;
  readonly token: string;
}

const pattern = /^stepbridge dap listening on 127\.0\.0\.1:(\d+)(?: token=(\S+))?\s*$/;

export function parseListening(line: string): Listening | undefined {
  const match = pattern.exec(line);
  return match ? { port: Number(match[1]), token: match[2] ?? "" } : undefined;
}
