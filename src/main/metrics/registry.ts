import { collectDefaultMetrics, Registry } from 'prom-client'

export type { Registry } from 'prom-client'

/** The metrics of one process: ours begin with footfall_, those of Node and the process have the names that dashboards expect. */
export function createRegistry(): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return registry
}

/** Seconds, from a lookup by key to the longest statement. */
export const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** How many of something, from one to the most that a request or a group can have. */
export const EVENTS = [1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 16_000]
