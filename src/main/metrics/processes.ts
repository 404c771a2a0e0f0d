import cluster, { type Worker } from 'node:cluster'
import { setTimeout as sleep } from 'node:timers/promises'
import { AggregatorRegistry, Registry } from 'prom-client'
import type { MetricsText } from './serve.ts'

type Metrics = Awaited<ReturnType<Registry['getMetricsAsJSON']>>

/** The primary's question. */
const QUESTION = { asksMetrics: true } as const
interface Answer {
  metrics: Metrics
}

/** A process that starts or is busy for longer is shown as it was when it last answered. */
const ANSWER_MS_MAX = 1_000
/** Their sums never fall. */
const COUNTED = new Set(['counter', 'histogram', 'summary'])

/** Lets the primary process of the cluster read the metrics of this one. */
export function shareMetrics(registry: Registry): void {
  const answer = async () => {
    const metrics = await registry.getMetricsAsJSON()
    process.send?.({ metrics } satisfies Answer, undefined, undefined, () => undefined)
  }
  process.on('message', (message: Partial<typeof QUESTION>) => {
    if (message?.asksMetrics === true) void answer()
  })
}

/** For metrics that do not belong to one process; without the metrics of Node. */
export function sharedRegistry(): Registry {
  return new Registry()
}

/**
 * The sum of the metrics of all worker processes, and the metrics of `shared`. What a process counted stays in the sums when it has ended, as of
 * the last question before, because a sum that falls looks to Prometheus as if everything was counted anew.
 */
export function metricsOfAll(shared: Registry): MetricsText {
  const last = new Map<number, Metrics>()
  const open = new Map<number, PromiseWithResolvers<void>>()
  let ended: Promise<Metrics> = Promise.resolve([])

  const close = (worker: Worker) => {
    open.get(worker.id)?.resolve()
    open.delete(worker.id)
  }
  cluster.on('message', (worker, message: Partial<Answer>) => {
    // What a process that has ended counted is in the sums already.
    if (!Array.isArray(message?.metrics) || worker.isDead()) return
    last.set(worker.id, message.metrics)
    close(worker)
  })
  cluster.on('exit', (worker) => {
    const counted = last.get(worker.id)?.filter(({ type }) => COUNTED.has(String(type))) ?? []
    last.delete(worker.id)
    close(worker)
    ended = ended.then((before) => sumOf([before, counted]).getMetricsAsJSON())
  })

  const ask = async (worker: Worker) => {
    const asked = open.get(worker.id) ?? Promise.withResolvers<void>()
    if (!open.has(worker.id)) worker.send(QUESTION, () => undefined)
    open.set(worker.id, asked)
    await Promise.race([asked.promise, sleep(ANSWER_MS_MAX, undefined, { ref: false })])
  }
  return {
    contentType: shared.contentType,
    metrics: async () => {
      const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker?.isConnected() === true)
      await Promise.all(workers.map((worker) => ask(worker!)))
      const before = await ended
      return (await sumOf([before, ...last.values()]).metrics()) + (await shared.metrics())
    },
  }
}

function sumOf(metrics: Metrics[]): Registry {
  return AggregatorRegistry.aggregate(metrics)
}
