import { AggregatorRegistry, Registry } from 'prom-client'
import type { MetricsText } from './serve.ts'

/** Lets the primary process of the cluster read the metrics of this one. */
export function shareMetrics(registry: Registry): void {
  AggregatorRegistry.setRegistries([registry])
  // The constructor listens to messages of the primary process.
  void new AggregatorRegistry()
}

/** For metrics that do not belong to one process; without the metrics of Node. */
export function sharedRegistry(): Registry {
  return new Registry()
}

/** The sum of the metrics of all worker processes, and the metrics of `shared`. */
export function metricsOfAll(shared: Registry): MetricsText {
  const processes = new AggregatorRegistry()
  return {
    contentType: shared.contentType,
    metrics: async () => (await processes.clusterMetrics()) + (await shared.metrics()),
  }
}
