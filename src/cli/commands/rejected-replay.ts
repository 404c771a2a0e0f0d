import { Command } from 'commander'
import { Correction, rejectedIdOf, type RejectedKey, rejectedKeyOf } from '../../contract/rejected.ts'
import { openRejected } from '../../store/log/rejected-item.ts'
import { readConfig } from '../../main/config/config.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { type Replayed, createReplayer } from '../terminal/replayer.ts'
import { StartError } from '../../main/config/start-error.ts'
import { print } from '../terminal/output.ts'

/** Events that one run of --all replays; the rest waits for the next run. */
const REPLAYS_MAX = 10_000

interface Options {
  all?: boolean
  set?: string[]
}

export function replayCommand(): Command {
  return new Command('replay')
    .description(
      'Record rejected events after the cause of their rejection was fixed. Each counts once. Footfall must be running.',
    )
    .argument('[ids...]', 'ids of the events, as listed')
    .option('--all', `every event that was not replayed, oldest first, at most ${REPLAYS_MAX.toLocaleString('en')}`)
    .option(
      '--set <field=value>',
      'correct a field of the event; the value is JSON, otherwise text; null removes the field',
      listed,
    )
    .addHelpText('after', HELP)
    .action(async (ids: string[], options: Options) => {
      const set = correctionOf(options.set ?? [])
      const named = [...new Set(ids)].map(rejectedKey)
      if (named.length > 0 === Boolean(options.all)) throw new StartError('Name the ids to replay, or give --all.')
      if (set !== undefined && named.length !== 1) throw new StartError('--set corrects one event: name one id.')
      await replayEach(named, set)
    })
}

/** The key that an id of the list stands for. @throws StartError for a text that is no id. */
export function rejectedKey(id: string): RejectedKey {
  const key = rejectedKeyOf(id)
  if (key !== undefined) return key
  throw new StartError(`"${id}" is not the id of a rejected event, e.g. 12.0: footfall rejected list shows the ids.`)
}

async function replayEach(named: RejectedKey[], set: Correction | undefined): Promise<void> {
  const config = readConfig(process.env)
  const replay = await createReplayer(config)
  const isAll = named.length === 0
  const open = isAll
    ? await withDatabase(config, { name: 'footfall rejected', readOnly: true }, (db) => openRejected(db, REPLAYS_MAX + 1))
    : named
  const tally = { accepted: 0, duplicate: 0, rejected: 0, none: 0 }
  for (const key of open.slice(0, REPLAYS_MAX)) {
    const replayed = await replay(key, set)
    tally[replayed.outcome]++
    if (!isAll || replayed.outcome === 'rejected' || replayed.outcome === 'none') print(lineOf(key, replayed))
  }
  if (tally.rejected + tally.none > 0) process.exitCode = 1
  if (!isAll) return
  print(
    `Replayed: ${tally.accepted} accepted, ${tally.duplicate} recorded before, ${tally.rejected} rejected again, ${tally.none} replayed by another call.`,
  )
  if (open.length > REPLAYS_MAX) print('There are more: run the command again.')
}

function lineOf(key: RejectedKey, replayed: Replayed): string {
  if (replayed.outcome === 'none') return replayed.problem
  const { rejection } = replayed
  if (rejection !== undefined) {
    const field = rejection.field === null ? '' : `${rejection.field}: `
    return `${rejectedIdOf(key)} rejected again as ${rejection.id}: ${field}${rejection.message}`
  }
  const outcome = replayed.outcome === 'accepted' ? 'accepted' : 'recorded before'
  return `${rejectedIdOf(key)} ${outcome}${replayed.event_id === undefined ? '' : ` as ${replayed.event_id}`}`
}

/** Reads `field=value` of each --set. @throws StartError that names the field. */
function correctionOf(texts: readonly string[]): Correction | undefined {
  if (texts.length === 0) return undefined
  const fields = texts.map((text) => {
    const [, field, value] = /^([^=]+)=(.*)$/s.exec(text) ?? []
    if (field === undefined || value === undefined) throw new StartError(`--set '${text}': it is FIELD=VALUE.`)
    return [field.trim(), valueOf(field.trim(), value)] as const
  })
  const parsed = Correction.safeParse(Object.fromEntries(fields))
  if (parsed.success) return parsed.data
  const { path, message } = parsed.error.issues[0]!
  throw new StartError(`--set ${path.join('.')}: ${message}.`)
}

/** Keeps numbers as text, because all plain fields but account_number are texts: 4711 is the product id "4711". */
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
An event keeps its id, and an event without an id gets the same id in every replay, so it counts once however often it is
replayed. An event that is rejected again is a new line of the list. Exit 1 when an event was not recorded.

--set occurred_at=… also puts that time into a UUIDv7 event_id, which makes it another event.

Examples:
  $ footfall rejected replay --all
  $ footfall rejected replay 12.0 --set ref_id=lamp --set nonsense=null
`
