import { Command, Option } from 'commander'
import { REJECTED_KINDS, type RejectedKind } from '../../contract/rejected.ts'
import { readConfig } from '../../main/config/config.ts'
import { UsageError } from '../../main/config/start-error.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { countRejected, dropRejected, type RejectedFilter } from '../../store/log/rejected-drop.ts'
import { actor } from '../terminal/actor.ts'
import { isConfirmed } from '../terminal/confirm.ts'
import { print } from '../terminal/output.ts'
import { rejectedKey } from './rejected-replay.ts'
import { wholeNumber } from './whole-number.ts'

const DAYS_MAX = 36_500
const CODES = ['invalid', 'too_old', 'in_future', 'refused', 'not_yet', 'ignored']

interface Options {
  olderThan?: number
  code?: string
  kind?: RejectedKind
  all?: boolean
  yes?: boolean
}

export function dropCommand(): Command {
  return new Command('drop')
    .description('Delete rejected events for good, replayed or not. Asks first. Options that choose events are combined.')
    .argument('[ids...]', 'ids of the events, as listed')
    .option('--older-than <days>', 'received at least so many days ago', wholeNumber(1, DAYS_MAX))
    .addOption(new Option('--code <code>', 'rejected for this reason').choices(CODES))
    .addOption(new Option('--kind <kind>', 'of this kind').choices(REJECTED_KINDS))
    .option('--all', 'every rejected event')
    .option('--yes', 'do not ask')
    .action(async (ids: string[], options: Options) => {
      const filter = filterOf(ids, options)
      await withDatabase(readConfig(process.env), { name: 'footfall rejected', statementMsMax: 0 }, async (db) => {
        const found = await countRejected(db, filter)
        if (found === 0) return print('There is no such rejected event.')
        if (!(await isConfirmed(`Delete ${eventsText(found)} for good?`, options))) return print('Nothing was deleted.')
        print(`Deleted ${eventsText(await dropRejected(db, filter, actor()))}.`)
      })
    })
}

/** @throws UsageError when it is not clear which events are meant. */
function filterOf(ids: readonly string[], { olderThan: olderThanDays, code, kind, all = false }: Options): RejectedFilter {
  const hasConditions = olderThanDays !== undefined || code !== undefined || kind !== undefined
  if ([ids.length > 0, hasConditions, all].filter(Boolean).length !== 1) {
    throw new UsageError('Name the ids to delete, or choose events by --older-than, --code and --kind, or give --all.')
  }
  return ids.length > 0 ? { keys: ids.map(rejectedKey) } : { olderThanDays, code, kind }
}

function eventsText(count: number): string {
  return count === 1 ? '1 rejected event' : `${count.toLocaleString('en')} rejected events`
}
