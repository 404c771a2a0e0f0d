import { Command } from 'commander'
import type { ScheduleState } from '../../contract/schedule.ts'
import { createSchedulesClient } from '../../ingress/schedules-client.ts'
import { readConfig } from '../../main/config/config.ts'
import { addressesOf } from '../../main/config/addresses.ts'
import { ingressOf } from '../../main/ingress.ts'
import { StartError } from '../../main/config/start-error.ts'
import { durationOf } from '../terminal/duration.ts'
import { printJson, printTable } from '../terminal/output.ts'

export function schedulesCommand(): Command {
  return new Command('schedules')
    .description('Show the periodic tasks: the next slot of each, and the outcome of its last run. Restate must be running.')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) => {
      const config = readConfig(process.env)
      const { ingressUrl } = addressesOf(config)
      const schedules = await createSchedulesClient(ingressOf(config))().catch((cause: unknown) => {
        throw new StartError(`Restate at ${ingressUrl} does not answer in time: start it, or change RESTATE_INGRESS_URL.`, {
          cause,
        })
      })
      if (options.json) printJson(schedules)
      else printTable(Object.fromEntries(schedules.map((schedule) => [schedule.task, lineOf(schedule)])))
    })
}

function lineOf({ every_ms: everyMs, next_at: nextAt, last_run: run }: ScheduleState) {
  return {
    every: everyMs === null ? 'off' : durationOf(everyMs),
    next: nextAt ?? '',
    'last run': run?.started_at ?? '',
    took: run?.duration_ms === undefined || run.duration_ms === null ? '' : durationOf(run.duration_ms),
    outcome: run === null ? '' : outcomeOf(run),
  }
}

function outcomeOf({ outcome, attempts, error }: NonNullable<ScheduleState['last_run']>): string {
  const tries = attempts > 1 ? `, attempt ${attempts}` : ''
  return `${outcome}${tries}${error === null ? '' : `: ${error}`}`
}
