// A minimal runner for the extension host: checks run one after the other, each result is one line of output.

interface Check {
  readonly name: string;
  readonly body: () => unknown;
}

const checks: Check[] = [];

export function check(name: string, body: () => unknown): void {
  checks.push({ name, body });
}

export async function runAll(): Promise<void> {
  let failed = 0;
  for (const { name, body } of checks) {
    const begin = performance.now();
    let error: string | undefined;
    try {
      await body();
    } catch (problem) {
      failed += 1;
      error = problem instanceof Error ? (problem.stack ?? problem.message) : String(problem);
    }
    console.log(`STEPBRIDGE-CHECK ${JSON.stringify({ name, seconds: (performance.now() - begin) / 1000, error })}`);
  }
  if (failed > 0) throw new Error(`${String(failed)} checks failed`);
}

/** Waits until `probe` returns something: at each event of the sources, never by the clock. */
export async function eventually<Value>(
  probe: () => Value | undefined | false,
  ...sources: readonly ((listener: () => void) => { dispose(): unknown })[]
): Promise<Value> {
  const { promise, resolve, reject } = Promise.withResolvers<Value>();
  const look = (): void => {
    const value = probe();
    if (value !== undefined && value !== false) resolve(value);
  };
  const subscriptions = sources.map((source) => source(look));
  const late = setTimeout(() => { reject(new Error(`not within 20 s: ${probe.toString()}`)); }, 20_000);
  look();
  try {
    return await promise;
  } finally {
    clearTimeout(late);
    for (const subscription of subscriptions) subscription.dispose();
  }
}
