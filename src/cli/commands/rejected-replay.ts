import { Command } from 'commander'
import { Correction, rejectedIdOf, type RejectedKey, rejectedKeyOf } from '../../contract/rejected.ts'
import { openRejected } from '../../store/log/rejected-item.ts'
import { readConfig } from '../../main/config/config.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { replayCode } from './rejected-replay-run.ts'
import { type Replay, type Replayed, createReplayer } from '../terminal/replayer.ts'
import { createWebhookMapper, type WebhookMapper } from '../terminal/webhook-mapper.ts'
import { UsageError } from '../../main/config/start-error.ts'
import { print } from '../terminal/output.ts'

/** Events that one run of --all replays; the rest waits for the next run. */
const REPLAYS_MAX = 10_000

interface Options {
  all?: boolean
  ignored?: boolean
  code?: string
  set?: string[]
}

export function replayCommand(): Command {
  return new Command('replay')
    .description(
      'Record rejected events after the cause of their rejection was fixed. Each counts once. Footfall must be running.',
    )
    .argument('[ids...]', 'ids of the events, as listed')
    .option('--all', `every event that was not replayed, oldest first, at most ${REPLAYS_MAX.toLocaleString('en')}`)
    .option('--code <code>', 'every event with this code, by a run that goes on when the program restarts')
    .option('--ignored', 'every webhook that a payment adapter ignored, after the adapter was mended')
    .option(
      '--set <field=value>',
      'correct a field of the event, or with --code of each; the value is JSON, otherwise text; null removes the field',
      listed,
    )
    .addHelpText('after', HELP)
    .action(async (ids: string[], options: Options) => {
      const set = correctionOf(options.set ?? [])
      const named = [...new Set(ids)].map(rejectedKey)
      if ([named.length > 0, options.all, options.ignored, options.code].filter(Boolean).length !== 1) {
        throw new UsageError(
          'Name the ids to replay, or give --all. For those of a code give --code. For ignored webhooks give --ignored.',
        )
      }
      if (options.code !== undefined) return replayCode(options.code, set)
      if (set !== undefined && named.length !== 1)
        throw new UsageError('--set corrects one event: name one id, or those of a code: give --code.')
      await replayEach(named, set, options.ignored)
    })
}

/** The key that an id of the list stands for. @throws UsageError for a text that is no id. */
export function rejectedKey(id: string): RejectedKey {
  const key = rejectedKeyOf(id)
  if (key !== undefined) return key
  throw new UsageError(`"${id}" is not the id of a rejected event, e.g. 12.0: footfall rejected list shows the ids.`)
}

async function replayEach(named: RejectedKey[], set: Correction | undefined, ignored = false): Promise<void> {
  const config = readConfig(process.env)
  const replay = await createReplayer(config)
  const isAll = named.length === 0
  const tally = { accepted: 0, duplicate: 0, rejected: 0, ignored: 0, unmapped: 0, none: 0 }
  await withDatabase(config, { name: 'footfall rejected', readOnly: true }, async (db) => {
    const mapWebhook = createWebhookMapper(config, db)
    const open = isAll ? await openRejected(db, REPLAYS_MAX + 1, ignored) : named
    for (const key of open.slice(0, REPLAYS_MAX)) {
      const replayed = await replayOne(key, set, replay, mapWebhook)
      tally[replayed.outcome]++
      if (!isAll || PROBLEMS.has(replayed.outcome)) print(lineOf(key, replayed))
    }
    if (tally.rejected + tally.unmapped + tally.none > 0) process.exitCode = 1
    if (!isAll) return
    print(summaryOf(tally))
    if (open.length > REPLAYS_MAX) print('There are more: run the command again.')
  })
}

/** The outcome of a webhook has the reason of its adapter, which refuses or ignores it again. */
type Outcome =
  | Replayed
  | { outcome: 'rejected' | 'ignored'; reason: string }
  /** A webhook without an adapter here. */
  | { outcome: 'unmapped'; problem: string }

const PROBLEMS: ReadonlySet<Outcome['outcome']> = new Set(['rejected', 'unmapped', 'none'])

async function replayOne(
  key: RejectedKey,
  set: Correction | undefined,
  replay: Replay,
  mapWebhook: WebhookMapper,
): Promise<Outcome> {
  const mapped = await mapWebhook(key)
  if (mapped === undefined) return replay(key, { set })
  if ('problem' in mapped) return { outcome: 'unmapped', problem: mapped.problem }
  if (set !== undefined)
    return { outcome: 'unmapped', problem: `${rejectedIdOf(key)} is a webhook, which --set does not correct` }
  if ('callbacks' in mapped) return replay(key, { callbacks: mapped.callbacks })
  if (mapped.code === 'refused') return { outcome: 'rejected', reason: mapped.message }
  // A refused webhook is settled now. One that was ignored stays as it is, for an adapter that is mended later.
  const settled = mapped.wasIgnored ? undefined : await replay(key, { callbacks: [] })
  return settled?.outcome === 'none' ? settled : { outcome: 'ignored', reason: mapped.message }
}

function summaryOf({ accepted, duplicate, rejected, ignored, unmapped, none }: Record<Outcome['outcome'], number>): string {
  const parts = [
    `${accepted} accepted`,
    `${duplicate} recorded before`,
    `${rejected} rejected again`,
    ...(ignored > 0 ? [`${ignored} ignored by their adapters`] : []),
    ...(unmapped > 0 ? [`${unmapped} not mapped`] : []),
    `${none} replayed by another call`,
  ]
  return `Replayed: ${parts.join(', ')}.`
}

function lineOf(key: RejectedKey, replayed: Outcome): string {
  if ('problem' in replayed) return replayed.problem
  if ('reason' in replayed) {
    return `${rejectedIdOf(key)} ${replayed.outcome === 'ignored' ? 'ignored' : 'refused again'}: ${replayed.reason}`
  }
  const { rejection } = replayed
  if (rejection !== undefined) {
    const field = rejection.field === null ? '' : `${rejection.field}: `
    return `${rejectedIdOf(key)} rejected again as ${rejection.id}: ${field}${rejection.message}`
  }
  const outcome = replayed.outcome === 'accepted' ? 'accepted' : 'recorded before'
  return `${rejectedIdOf(key)} ${outcome}${replayed.event_id === undefined ? '' : ` as ${replayed.event_id}`}`
}

/** Reads `field=value` of each --set. @throws UsageError that names the field. */
function correctionOf(texts: readonly string[]): Correction | undefined {
  if (texts.length === 0) return undefined
  const fields = texts.map((text) => {
    const [, field, value] = /^([^=]+)=(.*)$/s.exec(text) ?? []
    if (field === undefined || value === undefined) throw new UsageError(`--set '${text}': it is FIELD=VALUE.`)
    return [field.trim(), valueOf(field.trim(), value)] as const
  })
  const parsed = Correction.safeParse(Object.fromEntries(fields))
  if (parsed.success) return parsed.data
  const { path, message } = parsed.error.issues[0]!
  throw new UsageError(`--set ${path.join('.')}: ${message}.`)
}

const NUMBERS = new Set(['account_number', 'price', 'quantity', 'timestamp'])

/** Keeps numbers as text, because all plain fields but NUMBERS are texts: 4711 is the product id "4711". */
function valueOf(field: string, text: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    const isText = typeof value === 'number' || typeof value === 'boolean'
    return isText && !NUMBERS.has(field) ? text : value
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

A webhook that a payment adapter refused or ignored is mapped again by the adapter that PAYMENT_ADAPTERS names here, with the
settings that the adapter reads. A webhook that the adapter refuses again stays in the list as it is.

--set occurred_at=… also puts that time into a UUIDv7 event_id, which makes it another event.

Of a record of Kafka with a product event, --set corrects fields of its data, and eventId, eventType and timestamp.

Examples:
  $ footfall rejected replay --all
  $ footfall rejected replay 12.0 --set ref_id=lamp --set nonsense=null
`
