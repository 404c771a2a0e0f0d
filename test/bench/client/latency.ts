import type { Latency } from './job.ts'

/** Uses every request and no sample, because sorting a million numbers is cheap. */
export function latencyOf(milliseconds: readonly number[]): Latency {
  const sorted = Float64Array.from(milliseconds).sort()
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  const sum = sorted.reduce((total, value) => total + value, 0)
  return { mean: sum / sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) }
}
