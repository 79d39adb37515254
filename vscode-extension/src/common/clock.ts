// The extension's own time until it is active. Imported first, so that its top is where the code begins to load.

interface Usage {
  readonly user: number;
  readonly system: number;
}

/** Milliseconds of this thread's processor time where the runtime counts it, else of the clock. */
function now(): number {
  const usage = (process as { threadCpuUsage?: () => Usage }).threadCpuUsage?.();
  return usage ? (usage.user + usage.system) / 1000 : performance.now();
}

const loading = now();
let loaded = loading;

/** Called at the end of the code: what follows until activation is somebody else's time. */
export function codeIsLoaded(): void {
  loaded = now();
}

/** Returns the function that tells the own time so far: loading, and from this call on. */
export function activating(): () => number {
  const begin = now();
  return () => loaded - loading + (now() - begin);
}
