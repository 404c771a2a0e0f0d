import { collectDefaultMetrics, Registry } from 'prom-client'

export type { Registry } from 'prom-client'

/** The metrics of one process. Footfall's own begin with footfall_; Node's have the default names of prom-client's dashboards. */
export function createRegistry(): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  return registry
}

/** Seconds, from a lookup by key to the longest statement. */
export const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

/** Numbers of events, from one to the maximum of a request or a group. */
export const EVENTS = [1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 16_000]
