import { Counter, Gauge, type Registry } from 'prom-client'
import { type ScheduleState, TASK_NAMES } from '../../contract/schedule.ts'
import { throttled } from './throttle.ts'

export interface ScheduleSources {
  schedules: () => Promise<ScheduleState[]>
  /** Tasks of which a tick or a run is paused. */
  paused: () => Promise<string[]>
}

/** How the tasks get on, asked when it is scraped. While a source does not answer its metrics are absent. */
export function scheduleMetrics(registry: Registry, sources: ScheduleSources): void {
  const registers = [registry]
  const failures = new Counter({
    name: 'footfall_schedule_scrape_errors_total',
    help: 'Times that Restate did not tell how the schedules get on.',
    registers,
  })
  const schedules = throttled(sources.schedules, () => failures.inc())
  const paused = throttled(sources.paused, () => failures.inc())

  const gauge = (name: string, help: string, values: () => Promise<[string, number][]>) =>
    new Gauge({
      name,
      help,
      labelNames: ['task'],
      registers,
      async collect() {
        const answers = await values()
        this.reset()
        for (const [task, value] of answers) this.set({ task }, value)
      },
    })
  const perSchedule = (name: string, help: string, valueOf: (schedule: ScheduleState) => number | undefined) =>
    gauge(name, help, async () => {
      const answer = (await schedules.ask()) ?? []
      return answer.flatMap((schedule) => {
        const value = valueOf(schedule)
        return value === undefined ? [] : [[schedule.task, value] as [string, number]]
      })
    })

  perSchedule(
    'footfall_schedule_overdue_seconds',
    'How long the next slot of a task that is on is past; more than a minute or two means that its tick is paused or lost.',
    ({ next_at: nextAt }) => (nextAt === null ? undefined : Math.max(0, Date.now() - Date.parse(nextAt)) / 1_000),
  )
  perSchedule(
    'footfall_schedule_failing',
    '1 when the last run of a task failed, is being tried again, or was killed.',
    ({ running, last_run: run }) => (running ? Number(['failing', 'failed', 'killed'].includes(run?.outcome ?? '')) : undefined),
  )
  perSchedule('footfall_schedule_run_seconds', 'How long the last run of a task took.', ({ running, last_run: run }) =>
    running && run?.duration_ms !== null && run !== null ? run.duration_ms / 1_000 : undefined,
  )
  gauge('footfall_schedule_paused', '1 when a tick or a run of the task is paused and waits for an operator.', async () => {
    const tasks = await paused.ask()
    return tasks === undefined ? [] : TASK_NAMES.map((name) => [name, Number(tasks.includes(name))] as [string, number])
  })
}
