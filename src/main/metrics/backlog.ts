import { Counter, Gauge, type Registry } from 'prom-client'
import type { Backlog } from '../../store/log/backlog.ts'
import type { Stuck } from '../embedded/restate.ts'
import { throttled } from './throttle.ts'

export interface BacklogSources {
  backlog: () => Promise<Backlog>
  stuck: () => Promise<Pick<Stuck, 'retrying' | 'paused'>>
}

/** What waits and what is stuck, asked when it is scraped. While a source does not answer its metrics are absent. */
export function backlogMetrics(registry: Registry, sources: BacklogSources): void {
  const registers = [registry]
  const failures = (name: string, help: string) => new Counter({ name, help, registers })
  const backlogFailures = failures('footfall_backlog_scrape_errors_total', 'Times that PostgreSQL did not tell the backlog.')
  const stuckFailures = failures('footfall_invocations_scrape_errors_total', 'Times that Restate did not tell what is stuck.')
  const backlog = throttled(sources.backlog, () => backlogFailures.inc())
  const stuck = throttled(sources.stuck, () => stuckFailures.inc())

  const gaugePerTarget = (name: string, help: string, popularity: keyof Backlog, profiles: keyof Backlog) =>
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
  gaugePerTarget('footfall_backlog_batches', 'Batches recorded and not yet counted or fed.', 'uncountedBatches', 'unfedBatches')
  gaugePerTarget('footfall_backlog_events', 'Events recorded and not yet counted or fed.', 'uncountedEvents', 'unfedEvents')
  gaugePerTarget(
    'footfall_backlog_oldest_seconds',
    'Age of the oldest batch that waits; 0 when none does.',
    'uncountedSeconds',
    'unfedSeconds',
  )
  // oxlint-disable-next-line no-new -- the registry keeps it
  new Gauge({
    name: 'footfall_invocations',
    help: 'Invocations that do not get on: retrying, or paused until an operator resumes them.',
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
