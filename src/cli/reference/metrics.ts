import { alertDeliveryMetrics } from '../../main/metrics/alert-deliveries.ts'
import { backlogMetrics } from '../../main/metrics/backlog.ts'
import { consumerMetrics } from '../../main/metrics/consumer.ts'
import { gatewayMetrics, watchQueues } from '../../main/metrics/gateway.ts'
import { handlerTimes } from '../../main/metrics/handler-times.ts'
import { liveEventFailures, watchLiveEvents } from '../../main/metrics/live-events.ts'
import { poolMetrics } from '../../main/metrics/pools.ts'
import { createRegistry, type Registry } from '../../main/metrics/registry.ts'
import { scheduleMetrics } from '../../main/metrics/schedules.ts'
import { standbyMetrics } from '../../main/metrics/standbys.ts'
import { serviceMetrics } from '../../main/metrics/services.ts'
import { timelineMetrics } from '../../main/metrics/timeline.ts'
import { verificationMetrics } from '../../main/metrics/verification.ts'
import { code, pageOf, plain, tableOf } from './markdown.ts'

const INTRO = `Prometheus scrapes the gateway at \`/metrics\` of its port, the service endpoint at \`/metrics\` of \`ENDPOINT_METRICS_PORT\`, and the consumer of Kafka at \`/metrics\` of \`CONSUMER_METRICS_PORT\`; [operating](operating.md#metrics-alerts-dashboard)
has more. Each process also has the \`process_*\` and \`nodejs_*\` metrics that prom-client collects.`

/** Every metric of the gateway, of the service endpoint and of the consumer. */
export function metricsPage(): string {
  return pageOf({
    title: 'Metrics',
    intro: INTRO,
    source: 'src/main/metrics',
    sections: [
      '## The gateway',
      'With several processes (`GATEWAY_PROCESSES`) each of them answers with the sums over all processes; a limit of one process is a sum too. `footfall_gateway_recorder_bytes_max` and `footfall_read_lag_seconds` are the greatest of them, and `footfall_standby_is_read` is the smallest.',
      metricTable(gatewayRegistry()),
      '## The service endpoint',
      'With several processes (`ENDPOINT_PROCESSES`) the numbers are sums over all processes.',
      metricTable(endpointRegistry()),
      '## The consumer of Kafka',
      metricTable(consumerRegistry()),
    ],
  })
}

function gatewayRegistry(): Registry {
  const registry = createRegistry()
  poolMetrics(registry)
  gatewayMetrics(registry)
  standbyMetrics(registry, () => [])
  const room = { lengths: () => [] }
  watchQueues(registry, { queues: [], queueEventsMax: 0, queueBytesMax: 0, room, recorderBytesMax: 0 })
  liveEventFailures(registry)
  watchLiveEvents(registry, { size: neverSized })
  return registry
}

function endpointRegistry(): Registry {
  const registry = createRegistry()
  poolMetrics(registry)
  serviceMetrics(registry)
  liveEventFailures(registry)
  handlerTimes(registry)
  backlogMetrics(registry, { backlog: neverAsked, deltas: neverAsked, stuck: neverAsked, recorders: neverAsked })
  alertDeliveryMetrics(registry, neverAsked)
  verificationMetrics(registry, neverAsked)
  timelineMetrics(registry, neverAsked)
  scheduleMetrics(registry, { schedules: neverAsked, paused: neverAsked })
  return registry
}

function consumerRegistry(): Registry {
  const registry = createRegistry()
  poolMetrics(registry)
  consumerMetrics(registry, neverAsked)
  return registry
}

/** Sources are asked when metrics are scraped, and these registries are not. */
const neverAsked = () => Promise.reject(new Error('this registry is not scraped'))

const neverSized = () => {
  throw new Error('this registry is not scraped')
}

/** Facts that prom-client's types leave out. */
interface MetricFacts {
  name: string
  help: string
  type: string
  labelNames: readonly string[]
}

function metricTable(registry: Registry): string {
  const metrics = (registry.getMetricsAsArray() as unknown as MetricFacts[]).filter(({ name }) => name.startsWith('footfall_'))
  const rows = metrics
    .sort((a, b) => a.name.localeCompare(b.name, 'en'))
    .map(({ name, type, labelNames, help }) => [code(name), type, labelNames.map(code).join(', '), plain(help)])
  return tableOf(['metric', 'type', 'labels', 'meaning'], rows)
}
