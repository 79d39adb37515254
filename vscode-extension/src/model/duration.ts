// Durations and moments as a person reads them. Pure.

/** "0.4 s", "12.3 s", "2 min 05 s", "1 h 04 min". */
export function duration(seconds: number): string {
  if (seconds < 60) return `${(seconds < 0 ? 0 : Math.floor(seconds * 10) / 10).toFixed(1)} s`;
  const whole = Math.floor(seconds);
  if (whole < 3600) return `${String(Math.floor(whole / 60))} min ${pad(whole % 60)} s`;
  return `${String(Math.floor(whole / 3600))} h ${pad(Math.floor((whole % 3600) / 60))} min`;
}

/** "just now", "5 min ago", "3 h ago", or the date. Both in seconds since the epoch. */
export function ago(moment: number, now: number): string {
  const seconds = Math.max(0, now - moment);
  if (seconds < 45) return "just now";
  if (seconds < 3600) return `${String(Math.max(1, Math.round(seconds / 60)))} min ago`;
  if (seconds < 86_400) return `${String(Math.round(seconds / 3600))} h ago`;
  return new Date(moment * 1000).toLocaleDateString(undefined, { month: "short", day: "numeric" });
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
