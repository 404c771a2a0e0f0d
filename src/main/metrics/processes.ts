import { AggregatorRegistry, Registry } from 'prom-client'
import type { MetricsText } from './serve.ts'

/** Lets the first process of the cluster ask this one for its metrics. */
export function shareMetrics(registry: Registry): void {
  AggregatorRegistry.setRegistries([registry])
  // It listens to the first process.
  void new AggregatorRegistry()
}

/** For what is not of one process: without the metrics of Node. */
export function sharedRegistry(): Registry {
  return new Registry()
}

/** What all other processes of the cluster measure, added up, and what `shared` has. */
export function metricsOfAll(shared: Registry): MetricsText {
  const processes = new AggregatorRegistry()
  return {
    contentType: shared.contentType,
    metrics: async () => (await processes.clusterMetrics()) + (await shared.metrics()),
  }
}
