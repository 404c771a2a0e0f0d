import { Counter, Gauge, type Registry } from 'prom-client'
import { DIRECT_RECORDERS, OLD_RECORDER, RECORDERS } from '../../contract/recorder.ts'
import type { Backlog } from '../../store/log/backlog.ts'
import type { WaitingDeltas } from '../../store/metrics/waiting-deltas.ts'
import type { Stuck } from '../embedded/restate-queries.ts'
import { throttled } from './throttle.ts'

export interface BacklogSources {
  backlog: () => Promise<Backlog>
  deltas: () => Promise<WaitingDeltas>
  stuck: () => Promise<Pick<Stuck, 'retrying' | 'paused'>>
  recorders: () => Promise<readonly { recorder: string; calls: number }[]>
}

/** Per target: the metric, its help, and the fields of the backlog. */
const PER_TARGET: [name: string, help: string, popularity: keyof Backlog, profiles: keyof Backlog][] = [
  [
    'footfall_backlog_batches',
    'Recorded batches that are not counted (popularity) or fed (profiles) yet.',
    'uncountedBatches',
    'unfedBatches',
  ],
  [
    'footfall_backlog_events',
    'Recorded events that are not counted (popularity) or fed (profiles) yet.',
    'uncountedEvents',
    'unfedEvents',
  ],
  [
    'footfall_backlog_oldest_seconds',
    'Age of the oldest waiting batch; 0 when no batch waits.',
    'uncountedSeconds',
    'unfedSeconds',
  ],
]

const PER_DELTAS: [name: string, help: string, field: keyof WaitingDeltas][] = [
  ['footfall_metric_deltas', 'Changes of metrics of the catalog that are not folded yet. Answers have them already.', 'deltas'],
  ['footfall_metric_deltas_oldest_seconds', 'Age of the oldest of these changes; 0 when none waits.', 'oldestSeconds'],
]

/** Measures waiting batches, waiting deltas and stuck invocations at each scrape. A metric is absent while its source does not answer. */
export function backlogMetrics(registry: Registry, sources: BacklogSources): void {
  const registers = [registry]
  const failures = (name: string, help: string) => new Counter({ name, help, registers })
  const backlogFailures = failures('footfall_backlog_scrape_errors_total', 'Failed queries of the backlog in PostgreSQL.')
  const stuckFailures = failures('footfall_invocations_scrape_errors_total', 'Failed queries of stuck invocations in Restate.')
  const backlog = throttled(sources.backlog, () => backlogFailures.inc())
  const deltas = throttled(sources.deltas, () => backlogFailures.inc())
  const stuck = throttled(sources.stuck, () => stuckFailures.inc())
  const recorders = throttled(sources.recorders, () => stuckFailures.inc())

  for (const [name, help, popularity, profiles] of PER_TARGET) {
    // oxlint-disable-next-line no-new -- the registry keeps it
    new Gauge({
      name,
      help,
      labelNames: ['target'],
      registers,
      async collect() {
        const answer = await backlog.ask()
        this.reset()
        if (answer === undefined) return
        this.set({ target: 'popularity' }, answer[popularity] ?? 0)
        this.set({ target: 'profiles' }, answer[profiles] ?? 0)
      },
    })
  }
  for (const [name, help, field] of PER_DELTAS) {
    // oxlint-disable-next-line no-new -- the registry keeps it
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        const answer = await deltas.ask()
        this.remove()
        if (answer !== undefined) this.set(answer[field] ?? 0)
      },
    })
  }
  // oxlint-disable-next-line no-new -- the registry keeps it
  new Gauge({
    name: 'footfall_recorder_waiting_calls',
    help: 'Calls that wait in the inbox of a recorder: many while PostgreSQL does not answer.',
    labelNames: ['recorder'],
    registers,
    async collect() {
      const answer = await recorders.ask()
      this.reset()
      if (answer === undefined) return
      const all = [...RECORDERS, OLD_RECORDER, ...DIRECT_RECORDERS]
      for (const recorder of all) this.set({ recorder }, answer.find((one) => one.recorder === recorder)?.calls ?? 0)
    },
  })
  // oxlint-disable-next-line no-new -- the registry keeps it
  new Gauge({
    name: 'footfall_invocations',
    help: 'Stuck invocations: retrying, or paused until an operator resumes them.',
    labelNames: ['state'],
    registers,
    async collect() {
      const answer = await stuck.ask()
      this.reset()
      if (answer === undefined) return
      this.set({ state: 'retrying' }, answer.retrying)
      this.set({ state: 'paused' }, answer.paused)
    },
  })
}
