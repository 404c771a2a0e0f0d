import { Counter, Gauge, type Registry } from 'prom-client'
import { type ScheduleState, TASK_NAMES } from '../../contract/schedule.ts'
import { throttled } from './throttle.ts'

export interface ScheduleSources {
  schedules: () => Promise<ScheduleState[]>
  /** Names of the tasks with a paused tick or run. */
  paused: () => Promise<string[]>
}

/** Measures the scheduled tasks at each scrape. A metric is absent while its source does not answer. */
export function scheduleMetrics(registry: Registry, sources: ScheduleSources): void {
  const registers = [registry]
  const failures = new Counter({
    name: 'footfall_schedule_scrape_errors_total',
    help: 'Failed queries of the schedules in Restate.',
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
    'Delay of the next slot of a running schedule; more than a minute or two means that its tick is paused or lost.',
    ({ next_at: nextAt }) => (nextAt === null ? undefined : Math.max(0, Date.now() - Date.parse(nextAt)) / 1_000),
  )
  perSchedule(
    'footfall_schedule_failing',
    '1 when the last run of a task failed, is being tried again, or was killed.',
    ({ running, last_run: run }) => (running ? Number(['failing', 'failed', 'killed'].includes(run?.outcome ?? '')) : undefined),
  )
  perSchedule('footfall_schedule_run_seconds', 'Duration of the last run of a task.', ({ running, last_run: run }) =>
    running && run?.duration_ms !== null && run !== null ? run.duration_ms / 1_000 : undefined,
  )
  gauge('footfall_schedule_paused', '1 when a tick or a run of the task is paused until an operator resumes it.', async () => {
    const tasks = await paused.ask()
    return tasks === undefined ? [] : TASK_NAMES.map((name) => [name, Number(tasks.includes(name))] as [string, number])
  })
}
