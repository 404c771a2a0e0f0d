import { setImmediate as nextTurn } from 'node:timers/promises'
import { bytesOfRejected, keptItemOf } from '../../admission/kept-item.ts'
import { problemOf } from '../../admission/judges.ts'
import type { ItemProblem } from '../../admission/rows.ts'
import { type Split, splitItems } from '../../admission/split-items.ts'
import { DecidedError } from '../../contract/decided-error.ts'
import type { RejectedItem } from '../../contract/interaction.ts'
import { KINDS, type KindWith, kindsWith } from '../../contract/kinds.ts'
import type { BatchAnswered, ItemsJson } from '../../ingress/recorder.ts'
import type { RejectionBudget, RejectionSender } from './rejection-budget.ts'

/** Checking an item takes some 10 µs, and other requests wait no longer than for so many. */
const SLICE_ITEMS = 200
/** Reading this much again takes some 10 ms. The rejected items of a larger request are counted by their average size. */
const READ_AGAIN_CHARACTERS_MAX = 1024 * 1024

/**
 * A page sends a few events at a time. Of a request with more invalid ones than this, from a publishable key beyond its hour, nothing is
 * recorded: checking 10,000 items of one character takes 0.1 s, and a flood of them would stop the gateway.
 */
const INVALID_ITEMS_MAX = 100
const TOO_MANY = `more than ${INVALID_ITEMS_MAX} of these events are invalid, and no more rejected events of this key are kept in this hour: send only valid events`

/** The items of a request as they would be sent. */
export interface OfferedItems {
  kind: BatchAnswered
  sender: RejectionSender
  /** Each item as JSON. */
  texts: readonly string[]
}

export interface AdmittedItems {
  /** The recorded items as JSON, one by one and with commas between them. */
  recorded: readonly string[]
  json: string
  /**
   * Undefined when all items are recorded. No item is rejected here until the sender has used up its hour. Then each invalid one is, so
   * that it is not kept.
   */
  split: Split | undefined
  settle: Settle
}

/** To be called with the items that were rejected, by their positions among the recorded ones, or when the outcome is unknown. */
export type Settle = (rejected: readonly RejectedItem[] | 'unknown') => void

/**
 * Takes what the items of a request could take in the database, and gives the rest back when it is known what was rejected.
 * @throws DecidedError (rate_limited) when a publishable key has used up its hour and too many of the items are invalid.
 */
export async function admitItems(budget: RejectionBudget, { kind, sender, texts }: OfferedItems): Promise<AdmittedItems> {
  const json = texts.join(',')
  const everything = { recorded: texts, json, split: undefined }
  if (!isKept(kind)) return { ...everything, settle: () => undefined }
  const giveBack = budget.take(sender, bytesOfRejected(texts.length, json.length))
  if (giveBack === undefined) {
    const invalidMax = sender.apiKey?.isPublishable ? INVALID_ITEMS_MAX : Number.POSITIVE_INFINITY
    const problems = await problemsOf(kind, itemsIn(json), invalidMax)
    const split = splitItems(texts, (_text, index) => problems[index])
    return { recorded: split.recorded, json: split.recorded.join(','), split, settle: () => undefined }
  }
  return { ...everything, settle: settler(giveBack, { kind, sender, count: texts.length, json }) }
}

/**
 * The same for a body that a thread will judge, before its items are known: as if it had the most items. Undefined when so much is not
 * left, so that the thread must leave out what is invalid.
 */
export function admitLarge(
  budget: RejectionBudget,
  { kind, sender, bytes }: { kind: BatchAnswered; sender: RejectionSender; bytes: number },
): ((sent: Pick<SentItems, 'json' | 'count'>) => Settle) | undefined {
  if (!isKept(kind)) return () => () => undefined
  const giveBack = budget.take(sender, bytesOfRejected(KINDS[kind].itemsMax, bytes))
  return giveBack && ((sent) => settler(giveBack, { kind, sender, ...sent }))
}

/** The items are read again from their text, because many requests wait and objects take five times the memory. */
function settler(
  giveBack: (bytesKept: number) => void,
  { sender, ...items }: Omit<SentItems, 'isKeptShort'> & { sender: RejectionSender },
): Settle {
  const sent: SentItems = { ...items, isKeptShort: sender.apiKey?.isPublishable ?? false }
  const settle = async (rejected: readonly RejectedItem[] | 'unknown') => {
    giveBack(rejected === 'unknown' ? await invalidBytesOf(sent) : rejectedBytesOf(sent, rejected))
  }
  return (rejected) => void settle(rejected)
}

interface SentItems {
  kind: KindWith<'isBatched'>
  json: ItemsJson
  count: number
  isKeptShort: boolean
}

const KEPT: ReadonlySet<string> = new Set(kindsWith('isKeptWhenRejected'))

function isKept(kind: BatchAnswered): kind is KindWith<'isBatched'> & BatchAnswered {
  return KEPT.has(kind)
}

/** What the rejected items take. */
function rejectedBytesOf(sent: SentItems, rejected: readonly RejectedItem[]): number {
  if (rejected.length === 0) return 0
  const { json, count, isKeptShort } = sent
  if (json.length > READ_AGAIN_CHARACTERS_MAX) return bytesOfRejected(rejected.length, (json.length * rejected.length) / count)
  const items = itemsIn(json)
  return keptBytesOf(
    rejected.map(({ index }) => items[index]),
    isKeptShort,
  )
}

/** What the items take that are rejected if they are recorded. Those of a large request do not count: it will come again. */
async function invalidBytesOf({ kind, json, isKeptShort }: SentItems): Promise<number> {
  if (json.length > READ_AGAIN_CHARACTERS_MAX) return 0
  const items = itemsIn(json)
  const problems = await problemsOf(kind, items, Number.POSITIVE_INFINITY)
  return keptBytesOf(
    items.filter((_item, index) => problems[index] !== undefined),
    isKeptShort,
  )
}

function itemsIn(json: ItemsJson): unknown[] {
  return JSON.parse(`[${json.toString()}]`) as unknown[]
}

/** @throws DecidedError (rate_limited) when more than `invalidMax` items have problems. */
async function problemsOf(
  kind: KindWith<'isBatched'>,
  items: readonly unknown[],
  invalidMax: number,
): Promise<(ItemProblem | undefined)[]> {
  const nowMs = Date.now()
  let invalid = 0
  const problems: (ItemProblem | undefined)[] = []
  for (const [index, item] of items.entries()) {
    const problem = problemOf(kind, item, nowMs)
    problems.push(problem)
    if (problem !== undefined && ++invalid > invalidMax) throw new DecidedError('rate_limited', TOO_MANY)
    if ((index + 1) % SLICE_ITEMS === 0) await nextTurn()
  }
  return problems
}

function keptBytesOf(rejected: readonly unknown[], isKeptShort: boolean): number {
  const bytes = rejected.reduce<number>((sum, item) => sum + Buffer.byteLength(keptItemOf({ item, isKeptShort }).text), 0)
  return bytesOfRejected(rejected.length, bytes)
}
