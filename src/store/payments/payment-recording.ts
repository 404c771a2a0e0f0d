import type { NewRejection } from '../../admission/rows.ts'
import { CALLBACKS_MAX } from '../../contract/payment.ts'
import { type Callback, callbackKey, type Line, type Shortfall } from '../../ledger/callback.ts'
import { difference } from '../../ledger/difference.ts'
import type { Pending } from '../../ledger/pending.ts'
import { settle } from '../../ledger/settlement.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { isMissingPartition } from '../database/sql-state.ts'
import { type BatchBounds, batchOf, insertBatch } from '../log/batch.ts'
import { type Call, callIdOf } from '../log/call.ts'
import { countCall, type IngestCounts } from '../log/ingest.ts'
import { INTERACTIONS } from '../log/interaction.ts'
import { awaitTrace } from '../log/recorded-call.ts'
import type { LogTable } from '../log/log-table.ts'
import { makePartitions, monthOf } from '../log/month.ts'
import { type ListedCallback, lockUnlessReplayed, markReplayed, type ReplayOf, settleRejected } from '../log/rejected-replay.ts'
import { NONE, type Tombstones, WITHOUT_KEY } from '../log/tombstone.ts'
import { insertPaymentEvents } from '../reports/analytics-event.ts'
import {
  callbackOf,
  insertCallbacks,
  type KnownPayment,
  lockKnown,
  MoreSubjectsError,
  type Subject,
  subjectsOf,
  updateShortfalls,
} from './payment-callback.ts'
import { type ErasedCallbacks, erasedCallbacks } from './erased-callbacks.ts'
import { analyticsEventOf, changesOf, interactionsOf } from './payment-effects.ts'
import { type Selected, selectNew } from './payment-selection.ts'
import { addSales } from './sale-line.ts'
import type { NewInteraction } from '../../admission/interaction.ts'
import type { NewPayment } from '../../admission/payment.ts'

/** The outcome of a callback. */
export interface PaymentResult {
  index: number
  /** Whether this call recorded it. A callback that is neither recorded nor rejected was recorded before. */
  isRecorded: boolean
  rejection: NewRejection | undefined
  /** The parts that could not be taken back, by the callbacks that are known now. */
  shortfalls: readonly Shortfall[]
}

export interface RecordedPayments {
  results: PaymentResult[]
  /** The batch of interactions that followed; undefined when there are none. */
  batch: BatchBounds | undefined
  /** Whether this attempt inserted anything: true for one of all attempts. */
  isNew: boolean
}

const OF_PAYMENTS: LogTable<NewInteraction> = { ...INTERACTIONS, rejectedKind: 'payment' }

/** Missing months and further subjects each cost one more attempt. More than a few mean a fault. */
const ATTEMPTS_MAX = 8

/**
 * Records callbacks once per provider and callback id, for ever, and everything that follows from them in the same transaction: the
 * analytics events, the interactions as a batch of the call, the sale lines and their sums. Repeated and overlapping attempts change
 * nothing and give the same answer. `replayOf` is the rejected callback that the call replays. Costs a few statements per call,
 * whatever the number of its callbacks, and reads every callback of their payments and orders.
 */
export async function recordPayments(
  db: Database,
  call: Call,
  payments: readonly NewPayment[],
  rejections: readonly NewRejection[],
  replayOf?: PaymentReplay,
  tombstones: Tombstones = WITHOUT_KEY,
): Promise<RecordedPayments> {
  const recorded = await tryRecording(db, payments.flatMap(subjectsOf), (tx, { subjects, months }) =>
    recordOnce(tx, { call, payments, rejections, replayOf, subjects, months, tombstones }),
  )
  if (!recorded.isNew) await awaitTrace(db, call)
  return recorded
}

/** The rejected callback that is replayed, or the webhook: what its callbacks lack is listed by itself. */
export interface PaymentReplay extends ReplayOf {
  isWebhook: boolean
}

interface Needs {
  /** The subjects to lock. */
  subjects: readonly Subject[]
  /** Filled with the months that the attempt needs. */
  months: string[]
}

/** Works in a transaction, again when further subjects must be locked or months are missing. */
export async function tryRecording<T>(
  db: Database,
  firstSubjects: readonly Subject[],
  work: (tx: Queryable, needs: Needs) => Promise<T>,
): Promise<T> {
  const subjects = [...firstSubjects]
  for (let attempt = 1; ; attempt++) {
    const months: string[] = []
    try {
      return await db.transaction().execute((tx) => work(tx, { subjects, months }))
    } catch (error) {
      if (attempt === ATTEMPTS_MAX) throw error
      if (error instanceof MoreSubjectsError) subjects.push(...error.subjects)
      else if (isMissingPartition(error)) await makePartitions(db, months, ['analytics_event', 'interaction'])
      else throw error
    }
  }
}

/** What a call brings besides callbacks. */
interface Origin {
  call: Call
  rejections: readonly NewRejection[]
  replayOf: PaymentReplay | undefined
  /** The newest tombstone that is known. */
  tombstoneNo?: string
}

interface Attempt extends Origin, Needs {
  payments: readonly NewPayment[]
  tombstones: Tombstones
}

async function recordOnce(tx: Queryable, given: Attempt): Promise<RecordedPayments> {
  const stored = await lockSubjects(tx, given)
  const storedByKey = new Map(stored.map((callback) => [callbackKey(callback), callback]))
  const all = await selectNew(tx, given.call, given.payments, storedByKey)
  const { attempt, known, selected, erase } = await withoutErasedShoppers(tx, { attempt: given, known: stored, selected: all })
  const knownByKey = new Map(known.map((callback) => [callbackKey(callback), callback]))
  const change = settleDifference(known, [...known, ...selected.payments])
  if (attempt.replayOf?.isWebhook === false) selected.refused.push(...erase(stillRefused(attempt, knownByKey, change.shortfalls)))
  attempt.months.push(...[...selected.payments, ...change.interactions].map(({ occurredAtMs }) => monthOf(occurredAtMs)))
  const isNew = await insertAll(tx, attempt, { ...change, ...selected, known, knownByKey })
  await countCall(tx, attempt.call, 'payment', countsOf(attempt, selected))
  const results = answerEach(attempt, { ...change, ...selected, knownByKey })
  return { results, batch: await batchOf(tx, attempt.call), isNew }
}

/** What became of the callbacks of a call. One that counts in part only was accepted. */
function countsOf({ payments, rejections }: Attempt, { payments: accepted, refused }: Selected): IngestCounts {
  const duplicates = payments.length - accepted.length - refused.length
  return { accepted: accepted.length, duplicates, rejected: rejections.length + refused.length }
}

interface Read {
  attempt: Attempt
  known: readonly KnownPayment[]
  selected: Selected
}

interface ReadErased extends Read {
  /** Further rejections of the same callbacks, with pseudonyms. */
  erase: ErasedCallbacks['erase']
}

/** The same with pseudonyms in the place of erased persons. */
async function withoutErasedShoppers(tx: Queryable, { attempt, known, selected }: Read): Promise<ReadErased> {
  const own = attempt.rejections.length
  const { tombstoneNo, callbacks, rejections, erase } = await erasedCallbacks<KnownPayment | NewPayment>(tx, attempt.tombstones, {
    callbacks: [...known, ...selected.payments],
    rejections: [...attempt.rejections, ...selected.refused],
  })
  return {
    attempt: { ...attempt, tombstoneNo, rejections: rejections.slice(0, own) },
    known: callbacks.slice(0, known.length) as KnownPayment[],
    selected: { payments: callbacks.slice(known.length) as NewPayment[], refused: rejections.slice(own) },
    erase,
  }
}

async function lockSubjects(tx: Queryable, { call, replayOf, subjects }: Attempt): Promise<KnownPayment[]> {
  if (replayOf !== undefined) await lockUnlessReplayed(tx, replayOf, call)
  return lockKnown(tx, subjects)
}

interface Change {
  lines: readonly Line[]
  pending: ReadonlyMap<string, Pending>
  interactions: NewInteraction[]
  /** Of all callbacks, by their keys. */
  shortfalls: ReadonlyMap<string, readonly Shortfall[]>
}

/** What it changes in the ledger and in the log that these callbacks are known and not only those before. */
export function settleDifference(before: readonly KnownPayment[], after: readonly (KnownPayment | NewPayment)[]): Change {
  const settled = settle(after)
  const { lines, effects, pending } = difference(settle(before), settled)
  return { lines, pending, interactions: interactionsOf(effects, after), shortfalls: settled.shortfalls }
}

/** Replayed callbacks that are recorded and of which some still does not count, so that they stay in the list. */
function stillRefused({ call, payments }: Attempt, knownByKey: KnownByKey, shortfalls: Change['shortfalls']): NewRejection[] {
  return payments.flatMap((payment) => {
    const [known, ofCallback] = [knownByKey.get(callbackKey(payment)), shortfalls.get(callbackKey(payment))]
    if (known === undefined || ofCallback === undefined || known.callId === callIdOf(call)) return []
    return [{ index: payment.index, item: payment.item, ...rejectionOf(ofCallback) }]
  })
}

type KnownByKey = ReadonlyMap<string, KnownPayment>

/** @returns whether this attempt inserted anything. */
export async function insertAll(
  tx: Queryable,
  { call, rejections, replayOf, tombstoneNo = NONE }: Origin,
  change: Change & Selected & { known: readonly KnownPayment[]; knownByKey: KnownByKey },
): Promise<boolean> {
  const { payments, refused, known, knownByKey, lines, pending, interactions, shortfalls } = change
  const changed = await updateShortfalls(tx, known, shortfalls)
  const rejected = [...rejections, ...refused, ...shortfallRejections(payments, [...changed], shortfalls)]
  const numbers = await insertCallbacks(tx, call, payments, shortfalls)
  const changes = changesOf(payments, lines)
  await insertPaymentEvents(
    tx,
    payments.map((payment) => analyticsEventOf(payment, changes.get(callbackKey(payment)))),
  )
  const listed = known.filter((callback) => callback.shortfalls.length > 0 && changed.has(callback))
  const isBatch = interactions.length > 0 || rejected.length > 0 || replayOf !== undefined || listed.length > 0
  const { isNew } = isBatch
    ? await insertBatch(tx, OF_PAYMENTS, call, interactions, rejected, tombstoneNo, { isFenced: true, isCounted: false })
    : { isNew: false }
  if (replayOf !== undefined) await markReplayed(tx, replayOf, call)
  await settleRejected(tx, call, listed.map(listedAs))
  // Last, because all orders of a seller share the row of a day: a transaction that holds it delays every other sale of the seller.
  const numberOf = (callback: Callback) => {
    return numbers.get(callbackKey(callback)) ?? knownByKey.get(callbackKey(callback))!.number
  }
  await addSales(tx, { lines, pending, numberOf })
  return isNew || payments.length > 0
}

/** Rejections of the callbacks that could not be taken back in full: new ones, and earlier ones whose shortfalls have changed. */
function shortfallRejections(
  payments: readonly NewPayment[],
  changed: readonly KnownPayment[],
  shortfalls: Change['shortfalls'],
): NewRejection[] {
  const candidates = [
    ...payments.map((payment) => ({ callback: payment, index: payment.index, item: payment.item })),
    // Callbacks of other calls come after all places of this one.
    ...changed.map((callback, n) => ({ callback, index: CALLBACKS_MAX + n, item: callbackOf(callback) })),
  ]
  return candidates.flatMap(({ callback, index, item }) => {
    const ofCallback = shortfalls.get(callbackKey(callback))
    return ofCallback === undefined ? [] : [{ index, item, ...rejectionOf(ofCallback) }]
  })
}

/** How the list of rejected events has the shortfalls that a callback had until now. */
function listedAs({ provider, callbackId, shortfalls }: KnownPayment): ListedCallback {
  return { provider, callbackId, message: rejectionOf(shortfalls).message }
}

/** All shortfalls of a callback as one rejection. */
function rejectionOf(shortfalls: readonly Shortfall[]): Pick<NewRejection, 'code' | 'field' | 'message'> {
  const [{ field, message }, ...more] = shortfalls as [Shortfall, ...Shortfall[]]
  return { code: 'refused', field, message: [message, ...more.map((other) => `${other.field} ${other.message}`)].join('; ') }
}

function answerEach(
  { call, payments }: Attempt,
  change: Pick<Change, 'shortfalls'> & Selected & { knownByKey: KnownByKey },
): PaymentResult[] {
  const { payments: recorded, refused, shortfalls, knownByKey } = change
  const isOfThisCall = ({ callId, callIndex }: KnownPayment, index: number) => callId === callIdOf(call) && callIndex === index
  return payments.map((payment) => {
    const { index } = payment
    const known = knownByKey.get(callbackKey(payment))
    return {
      index,
      isRecorded: known === undefined ? recorded.some((other) => other.index === index) : isOfThisCall(known, index),
      rejection: refused.find((rejection) => rejection.index === index),
      shortfalls: shortfalls.get(callbackKey(payment)) ?? [],
    }
  })
}
