import { Command } from 'commander'
import { answersBeforeStandbys } from '../../store/database/replication.ts'
import { type Backlog, backlog } from '../../store/log/backlog.ts'
import { readConfig } from '../../main/config/config.ts'
import { addressesOf } from '../../main/config/addresses.ts'
import { type Stuck, stuckInvocations, waitingInRecorders } from '../../main/embedded/restate-queries.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { print, printJson } from '../terminal/output.ts'

export function backlogCommand(): Command {
  return new Command('backlog')
    .description('Show events that are recorded and not yet counted, and invocations that failed and wait for an operator.')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) => {
      const config = readConfig(process.env)
      await withDatabase(config, { name: 'footfall backlog', readOnly: true }, async (db) => {
        const waiting = await backlog(db)
        const { adminUrl } = addressesOf(config)
        const ask = <T>(query: (url: string) => Promise<T>) =>
          adminUrl === undefined ? undefined : query(adminUrl).catch(() => undefined)
        const [stuck, recorders] = await Promise.all([ask(stuckInvocations), ask(waitingInRecorders)])
        const waitingCalls = recorders?.reduce((sum, { calls }) => sum + calls, 0)
        if (options.json) {
          printJson({ ...asPrinted(waiting), waitingCalls: waitingCalls ?? null, invocations: stuck ?? null })
          return
        }
        print(`To be counted: ${waiting.uncountedBatches} batches, ${waiting.uncountedEvents} events`)
        print(`To be fed to the profiles: ${waiting.unfedBatches} batches, ${waiting.unfedEvents} events`)
        print(`Oldest: ${waiting.oldestSeconds === null ? 'nothing waits' : `${Math.round(waiting.oldestSeconds)} s`}`)
        if (waitingCalls !== undefined) print(`Waiting in recorders: ${waitingCalls} calls`)
        print(stuckText(stuck))
        if (await answersBeforeStandbys(db)) {
          print(
            'PostgreSQL answers before a standby has a commit: a failover may lose the last events. docs/standbys.md says how it waits.',
          )
        }
      })
    })
}

/** The fields of --json, whose names are those of the column `scored_at`. */
function asPrinted({ uncountedBatches, uncountedEvents, uncountedSeconds, ...rest }: Backlog) {
  return {
    unscoredBatches: uncountedBatches,
    unscoredEvents: uncountedEvents,
    unscoredSeconds: uncountedSeconds,
    ...rest,
  }
}

function stuckText(stuck: Stuck | undefined): string {
  if (stuck === undefined) return 'Invocations: Restate does not answer'
  const resume = stuck.paused > 0 ? ` (resume them in the Restate UI): ${stuck.pausedIds.join(', ')}` : ''
  return `Invocations that failed and are tried again: ${stuck.retrying}; paused: ${stuck.paused}${resume}`
}
