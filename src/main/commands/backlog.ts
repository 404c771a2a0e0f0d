import { Command } from 'commander'
import { backlog } from '../../store/backlog.ts'
import { addressesOf, readConfig } from '../config.ts'
import { type Paused, pausedInvocations } from '../embedded/restate.ts'
import { withDatabase } from '../reach.ts'

export function backlogCommand(): Command {
  return new Command('backlog')
    .description('What is recorded and not yet counted, and the invocations that gave up and wait for an operator.')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) => {
      const config = readConfig(process.env)
      await withDatabase(config, { name: 'footfall backlog', readOnly: true }, async (db) => {
        const waiting = await backlog(db)
        const paused = await pausedInvocations(addressesOf(config).adminUrl).catch(() => undefined)
        if (options.json) {
          console.log(JSON.stringify({ ...waiting, paused: paused ?? null }, null, 2))
          return
        }
        console.log(`To be counted: ${waiting.unscoredBatches} batches, ${waiting.unscoredEvents} events`)
        console.log(`To be fed to the profiles: ${waiting.unfedBatches} batches, ${waiting.unfedEvents} events`)
        console.log(`Oldest: ${waiting.oldestSeconds === null ? 'nothing waits' : `${Math.round(waiting.oldestSeconds)} s`}`)
        console.log(`Paused invocations: ${pausedText(paused)}`)
      })
    })
}

function pausedText(paused: Paused | undefined): string {
  if (paused === undefined) return 'Restate does not answer'
  return paused.count === 0 ? '0' : `${paused.count} (resume them in the Restate UI): ${paused.ids.join(', ')}`
}
