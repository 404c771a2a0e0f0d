import { setImmediate as nextTurn } from 'node:timers/promises'
import { bytesOfRejected, keptItemOf } from '../../admission/kept-item.ts'
import { problemOf } from '../../admission/judges.ts'
import type { ItemProblem } from '../../admission/rows.ts'
import { type SplitItems, splitItems } from '../../admission/split-items.ts'
import { DecidedError } from '../../contract/decided-error.ts'
import type { RejectedItem } from '../../contract/interaction.ts'
import { type KindWith, kindsWith } from '../../contract/kinds.ts'
import type { BatchAnswered, ItemsJson } from '../../ingress/recorder.ts'
import type { RejectionBudget, RejectionSender } from './rejection-budget.ts'

/** Checking an item takes some 10 µs, and other requests wait no longer than for so many. */
const SLICE_ITEMS = 200
/** Reading this much again takes some 10 ms. The rejected items of a larger request are counted by their average size. */
const READ_AGAIN_CHARACTERS_MAX = 1024 * 1024

/**
 * A page sends a few events at a time. Of a request with more invalid ones than this, from a publishable key beyond its hour, nothing is
 * recorded: checking the items of a flood would keep the thread busy.
 */
const INVALID_ITEMS_MAX = 100
const TOO_MANY = `more than ${INVALID_ITEMS_MAX} of these events are invalid, and no more rejected events of this key are kept in this hour: send only valid events`

/** The items of a request, as many as they may be. */
export interface OfferedItems {
  kind: BatchAnswered
  sender: RejectionSender
  count: number
  /** Of their JSON. */
  bytes: number
}

/** The items that were sent. */
export interface SentItems {
  json: ItemsJson
  count: number
}

/** To be called with the items that were rejected, by their positions among the sent ones, or when the outcome is unknown. */
export type Settle = (rejected: readonly RejectedItem[] | 'unknown') => void

/**
 * Takes what the items of a request could take in the database, and gives the rest back when it is known what was rejected. Undefined
 * when so much is not left: then what is invalid must be left out, so that it is not kept. No item is rejected here before.
 */
export function admit(
  budget: RejectionBudget,
  { kind, sender, count, bytes }: OfferedItems,
): ((sent: SentItems) => Settle) | undefined {
  if (!isKept(kind)) return () => () => undefined
  const giveBack = budget.take(sender, bytesOfRejected(count, bytes))
  const isKeptShort = sender.apiKey?.isPublishable ?? false
  // The items are read again from their text, because many requests wait and objects take five times the memory.
  return (
    giveBack &&
    ((sent) => (rejected) => {
      giveBack(rejected === 'unknown' ? invalidBytesOf(kind, sent, isKeptShort) : rejectedBytesOf(sent, rejected, isKeptShort))
    })
  )
}

/**
 * The valid ones of items that are texts of JSON, and those that are left out.
 * @throws DecidedError (rate_limited) when too many of the items of a publishable key are invalid.
 */
export async function leaveOutInvalid(
  kind: KindWith<'isBatched'>,
  { apiKey }: RejectionSender,
  texts: readonly string[],
): Promise<SplitItems<string>> {
  const problems = await problemsOf(kind, texts, apiKey?.isPublishable ? INVALID_ITEMS_MAX : Number.POSITIVE_INFINITY)
  return splitItems(texts, (_text, index) => problems[index])
}

const KEPT: ReadonlySet<string> = new Set(kindsWith('isKeptWhenRejected'))

function isKept(kind: BatchAnswered): kind is KindWith<'isBatched'> & BatchAnswered {
  return KEPT.has(kind)
}

/** What the rejected items take. */
function rejectedBytesOf({ json, count }: SentItems, rejected: readonly RejectedItem[], isKeptShort: boolean): number {
  if (rejected.length === 0) return 0
  if (json.length > READ_AGAIN_CHARACTERS_MAX) return bytesOfRejected(rejected.length, (json.length * rejected.length) / count)
  const items = itemsIn(json)
  return keptBytesOf(
    rejected.map(({ index }) => items[index]),
    isKeptShort,
  )
}

/**
 * What the items take that are rejected if they are recorded, by a slice of them, chosen at random. Those of a large request do not
 * count: it will come again.
 */
function invalidBytesOf(kind: KindWith<'isBatched'>, { json, count }: SentItems, isKeptShort: boolean): number {
  if (json.length > READ_AGAIN_CHARACTERS_MAX) return 0
  const items = itemsIn(json)
  const nowMs = Date.now()
  const chosen =
    count <= SLICE_ITEMS ? items : Array.from({ length: SLICE_ITEMS }, () => items[Math.floor(Math.random() * items.length)])
  const invalid = chosen.filter((item) => problemOf(kind, item, nowMs) !== undefined)
  return chosen.length === 0 ? 0 : (keptBytesOf(invalid, isKeptShort) * items.length) / chosen.length
}

function itemsIn(json: ItemsJson): unknown[] {
  return JSON.parse(`[${json.toString()}]`) as unknown[]
}

/** @throws DecidedError (rate_limited) when more than `invalidMax` items have problems. */
async function problemsOf(
  kind: KindWith<'isBatched'>,
  texts: readonly string[],
  invalidMax: number,
): Promise<(ItemProblem | undefined)[]> {
  const nowMs = Date.now()
  let invalid = 0
  const problems: (ItemProblem | undefined)[] = []
  for (const [index, text] of texts.entries()) {
    const problem = problemOf(kind, JSON.parse(text), nowMs)
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
