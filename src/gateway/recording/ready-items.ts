import type { FastifyRequest } from 'fastify'
import type { AssignedIdentity } from '../../admission/event-identity.ts'
import { KEPT_SHORT_BYTES_MAX } from '../../admission/kept-item.ts'
import { charactersOf, type PartEnd, partEndsOf } from '../../admission/item-parts.ts'
import type { ItemList } from '../../admission/request-items.ts'
import { splitItems, wholeAnswer } from '../../admission/split-items.ts'
import type { EventRate } from '../access/event-rate.ts'
import { ageProblem } from '../../admission/time-problem.ts'
import { type ItemWriting, writeItems } from '../../admission/write-items.ts'
import type { CreateInteractionResponse } from '../../contract/interaction.ts'
import { KINDS, type KindWith } from '../../contract/kinds.ts'
import type { ItemsJson } from '../../ingress/recorder.ts'
import { admit, leaveOutInvalid, type Settle } from './kept-rejections.ts'
import type { LargeItems } from './large-items.ts'
import { forwardedItems } from './forwarded-items.ts'
import { itemsIn } from './read-items.ts'
import type { RejectionBudget } from './rejection-budget.ts'

/** Of UTF-8, for a UTF-16 unit. */
const BYTES_PER_CHARACTER_MAX = 3

export interface ReadyDeps {
  rejections: RejectionBudget
  largeItems: LargeItems
  /** The greatest age of events with a publishable key. */
  publishableDaysMax: number
  eventRate: EventRate
}

export interface SentItems extends ItemWriting {
  kind: KindWith<'isBatched'>
  /** The items, or the list of the body that has them. */
  items: readonly unknown[] | ItemList
  request: FastifyRequest
}

/** The items of a request, ready for a durable call. */
export interface ReadyItems {
  json: ItemsJson
  count: number
  partEnds: readonly PartEnd[]
  /** The ids that events without one were given, by their positions in the request. */
  assigned: () => readonly AssignedIdentity[]
  /** The positions of items of which little is kept when they are rejected. */
  keptShort: number[] | undefined
  /** How many items the gateway rejects itself; `json` is without them. */
  rejectedHere: number
  /** Whether items are among them because the sender has used up its hour. */
  isBeyondBound: boolean
  /** The answer to the whole request; `answer` is about the items of `json`. */
  wholeAnswer: (answer: CreateInteractionResponse) => CreateInteractionResponse
  settle: Settle
}

/** Judges a request as far as the gateway does, and writes its items. @throws DecidedError when it is not a list of items. */
export async function readyItems(deps: ReadyDeps, sent: SentItems): Promise<ReadyItems> {
  const { items } = sent
  return typeof items === 'string' && sent.request.isLarge ? largeItems(deps, sent, items) : smallItems(deps, sent)
}

/** Undefined when they must be written anew. */
function forwardedReady(
  rejections: RejectionBudget,
  { kind, request, all, privacy, idsAtMs }: Omit<SentItems, 'items'> & { all: readonly unknown[] },
): ReadyItems | undefined {
  const forwarded = forwardedItems(request, all, { privacy, needsIds: idsAtMs !== undefined })
  const settlerOf =
    forwarded && admit(rejections, { kind, sender: request, count: forwarded.count, bytes: forwarded.json.length })
  if (forwarded === undefined || settlerOf === undefined) return undefined
  return {
    ...forwarded,
    assigned: () => [],
    keptShort: undefined,
    rejectedHere: 0,
    isBeyondBound: false,
    wholeAnswer: (answer) => answer,
    settle: settlerOf(forwarded),
  }
}

async function smallItems(
  { rejections, publishableDaysMax, eventRate }: ReadyDeps,
  { kind, items, request, ...writing }: SentItems,
) {
  const all = typeof items === 'string' ? itemsIn(request, items) : items
  await eventRate.take(request, all)
  const isPublishable = request.apiKey?.isPublishable ?? false
  // A publishable key can be copied from a page, and events of many months would each need a partition of the log.
  const nowMs = Date.now()
  const young = isPublishable ? splitItems(all, (item) => ageProblem(item, publishableDaysMax, nowMs)) : undefined
  const forwarded =
    isPublishable || typeof items !== 'string' ? undefined : forwardedReady(rejections, { kind, request, all, ...writing })
  if (forwarded !== undefined) return forwarded
  const { texts, earliest, assigned } = writeItems(young?.recorded ?? all, writing)
  const text = texts.join(',')
  const settlerOf = admit(rejections, { kind, sender: request, count: texts.length, bytes: text.length })
  const split = settlerOf === undefined ? await leaveOutInvalid(kind, request, texts) : undefined
  const recorded = split?.recorded ?? texts
  const json = split === undefined ? text : recorded.join(',')
  const count = recorded.length
  return {
    json,
    count,
    partEnds: partEndsOf(recorded, charactersOf, split?.indexes.map((index) => earliest[index]!) ?? earliest),
    assigned: () => (young === undefined ? assigned : assigned.map((one) => ({ ...one, index: young.indexes[one.index]! }))),
    keptShort: isPublishable ? largeTextsOf(recorded, json.length) : undefined,
    rejectedHere: (young?.rejected.length ?? 0) + (split?.rejected.length ?? 0),
    isBeyondBound: (split?.rejected.length ?? 0) > 0,
    wholeAnswer: (answer: CreateInteractionResponse) => wholeAnswer(young, wholeAnswer(split, answer)),
    settle: settlerOf?.({ json, count }) ?? (() => undefined),
  }
}

/** The bodies of publishable keys are never large. */
async function largeItems(
  { rejections, largeItems: large }: ReadyDeps,
  { kind, request, privacy, idsAtMs }: SentItems,
  list: ItemList,
): Promise<ReadyItems> {
  // Its items are not known yet: as if it had the most.
  const bytes = (request.body as Buffer).length
  const settlerOf = admit(rejections, { kind, sender: request, count: KINDS[kind].itemsMax, bytes })
  const leaveOut = settlerOf === undefined ? { kind, nowMs: Date.now() } : undefined
  const { split, assigned, ...written } = await large
    .write(request, { list, privacy, idsAtMs, leaveOut })
    .catch((error: unknown) => {
      settlerOf?.({ json: '', count: 0 })([])
      throw error
    })
  const json = Buffer.from(written.json.buffer)
  const rejectedHere = split?.rejected.length ?? 0
  return {
    ...written,
    json,
    assigned: () => JSON.parse(assigned) as AssignedIdentity[],
    keptShort: undefined,
    rejectedHere,
    isBeyondBound: rejectedHere > 0,
    wholeAnswer: (answer) => wholeAnswer(split, answer),
    settle: settlerOf?.({ json, count: written.count }) ?? (() => undefined),
  }
}

/** The positions of items that are kept whole only if their sender has a secret key. */
function largeTextsOf(texts: readonly string[], charactersOfAll: number): number[] {
  if (charactersOfAll <= KEPT_SHORT_BYTES_MAX / BYTES_PER_CHARACTER_MAX) return []
  return texts.flatMap((text, index) => (Buffer.byteLength(text) > KEPT_SHORT_BYTES_MAX ? [index] : []))
}
