import { Command } from 'commander'
import { rejectedIdOf, type RejectedKey, Correction } from '../../contract/rejected.ts'
import { openRejected } from '../../store/log/rejected-item.ts'
import { readConfig } from '../../main/config/config.ts'
import { addressesOf } from '../../main/config/addresses.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { type Replayed, createReplayer } from '../terminal/replayer.ts'
import { keyOf } from './rejected-id.ts'
import { StartError } from '../../main/config/start-error.ts'

/** What one run of --all takes on; the rest waits for the next. */
const REPLAYS_MAX = 10_000

interface Options {
  all?: boolean
  set?: string[]
}

export function replayCommand(): Command {
  return new Command('replay')
    .description(
      'Send refused interactions again after what refused them was mended. Each counts once. Needs the program to run.',
    )
    .argument('[ids...]', 'ids of the list')
    .option('--all', `all that were not replayed, oldest first, at most ${REPLAYS_MAX.toLocaleString('en')}`)
    .option(
      '--set <field=value>',
      'repair the event itself; the value is JSON, or else a text; null takes the field away',
      listed,
    )
    .addHelpText('after', HELP)
    .action(async (ids: string[], options: Options) => {
      const set = repairOf(options.set ?? [])
      const named = [...new Set(ids)].map(keyOf)
      if (named.length > 0 === Boolean(options.all)) throw new StartError('Name the ids to replay, or give --all.')
      if (set !== undefined && named.length !== 1) throw new StartError('--set repairs one event: name one id.')
      await replayEach(named, set)
    })
}

async function replayEach(named: RejectedKey[], set: Correction | undefined): Promise<void> {
  const config = readConfig(process.env)
  const replay = await createReplayer(addressesOf(config).ingressUrl)
  const isAll = named.length === 0
  const open = isAll
    ? await withDatabase(config, { name: 'footfall rejected', readOnly: true }, (db) => openRejected(db, REPLAYS_MAX + 1))
    : named
  const tally = { accepted: 0, duplicate: 0, rejected: 0, none: 0 }
  for (const key of open.slice(0, REPLAYS_MAX)) {
    const replayed = await replay(key, set)
    tally[replayed.outcome]++
    if (!isAll || replayed.outcome === 'rejected' || replayed.outcome === 'none') console.log(lineOf(key, replayed))
  }
  if (tally.rejected + tally.none > 0) process.exitCode = 1
  if (!isAll) return
  console.log(
    `Replayed: ${tally.accepted} accepted, ${tally.duplicate} recorded before, ${tally.rejected} refused again, ${tally.none} replayed by others.`,
  )
  if (open.length > REPLAYS_MAX) console.log('There are more: run it again.')
}

function lineOf(key: RejectedKey, replayed: Replayed): string {
  if (replayed.outcome === 'none') return replayed.problem
  const { rejection } = replayed
  if (rejection !== undefined) {
    const field = rejection.field === null ? '' : `${rejection.field}: `
    return `${rejectedIdOf(key)} refused again as ${rejection.id}: ${field}${rejection.message}`
  }
  const outcome = replayed.outcome === 'accepted' ? 'accepted' : 'recorded before'
  return `${rejectedIdOf(key)} ${outcome}${replayed.event_id === undefined ? '' : ` as ${replayed.event_id}`}`
}

/** Reads `field=value` of each --set. @throws StartError that names the field. */
function repairOf(given: readonly string[]): Correction | undefined {
  if (given.length === 0) return undefined
  const fields = given.map((text) => {
    const [, field, value] = /^([^=]+)=(.*)$/s.exec(text) ?? []
    if (field === undefined || value === undefined) throw new StartError(`--set '${text}': it is FIELD=VALUE.`)
    return [field.trim(), valueOf(field.trim(), value)] as const
  })
  const parsed = Correction.safeParse(Object.fromEntries(fields))
  if (parsed.success) return parsed.data
  const { path, message } = parsed.error.issues[0]!
  throw new StartError(`--set ${path.join('.')}: ${message}.`)
}

/** Of the plain fields only account_number is no text: 4711 is a product's id as well as the text "4711". */
function valueOf(field: string, text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    const isText = typeof value === 'number' || typeof value === 'boolean'
    return isText && field !== 'account_number' ? text : value
  } catch {
    return text
  }
}

function listed(text: string, before: string[] = []): string[] {
  return [...before, text]
}

const HELP = `
An event keeps its id, and one that had none gets the same one in every replay: however often and by however many it is
replayed, it counts once. An event that is refused again is a new line of the list. Exit 1 when one was not recorded.

--set occurred_at=… gives a UUIDv7 event_id that time too, which makes it another event.

Examples:
  $ footfall rejected replay --all
  $ footfall rejected replay 12.0 --set ref_id=lamp --set nonsense=null
`
