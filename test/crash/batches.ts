import { type Call, callOf, type Handler } from './call.ts'
import { eventWithoutId, inOtherWords, type Item, newEvent, rejectedItem, type NewFields } from './items.ts'
import type { Random } from '../../src/cli/demo/random.ts'

const ITEMS_MAX = 200
/** Events kept to be sent again. */
const KNOWN_MAX = 5_000

/**
 * Makes the batches of a load for one handler. `alone`: new events that no other call sends before the answer. `mixed`: new events and
 * some that are in flight or recorded. `repeat`: acknowledged events only.
 */
export class Batches {
  readonly #nowMs = Date.now()
  readonly #known: Item[] = []
  readonly #acknowledged: Item[] = []
  readonly #handler: Handler
  readonly #newFields: NewFields

  constructor(handler: Handler, newFields: NewFields) {
    this.#handler = handler
    this.#newFields = newFields
  }

  next(random: Random, name: string): Call {
    const kind = random.pick(['alone', 'alone', 'mixed', 'mixed', 'repeat'] as const)
    const size = 1 + random.below(random.chance(0.15) ? ITEMS_MAX : 20)
    const idempotencyKey = random.chance(0.5) ? name : undefined
    if (kind === 'repeat' && this.#acknowledged.length > 0) {
      const items = sample(random, this.#acknowledged, size)
      return callOf({ name, handler: this.#handler, items, idempotencyKey, isAlone: false, isRepeat: true })
    }
    const items = this.#newItems(random, size)
    if (kind === 'mixed') items.push(...sample(random, this.#known, size))
    // An event without an id is recorded once per idempotency key, so only a call with a key may have one.
    if (idempotencyKey !== undefined && random.chance(0.5)) items.push(eventWithoutId(random, this.#nowMs, this.#newFields))
    const chosen = shuffled(random, items).slice(0, ITEMS_MAX)
    if (kind === 'mixed') remember(this.#known, chosen)
    return callOf({ name, handler: this.#handler, items: chosen, idempotencyKey, isAlone: kind === 'alone', isRepeat: false })
  }

  /** Any call may send the events of this one from now on. */
  acknowledged(call: Call): void {
    remember(this.#acknowledged, call.items)
    remember(this.#known, call.items)
  }

  /** New events, some of them twice, and sometimes an item that must be rejected. */
  #newItems(random: Random, size: number): Item[] {
    const items = Array.from({ length: size }, () => newEvent(random, this.#nowMs, this.#newFields))
    if (random.chance(0.3)) items.push(random.pick(items), inOtherWords(random.pick(items)))
    if (random.chance(0.2)) items.push(rejectedItem(random, this.#newFields))
    return items
  }
}

function remember(list: Item[], items: readonly Item[]): void {
  list.push(...items.filter((item) => item.event !== undefined))
  list.splice(0, list.length - KNOWN_MAX)
}

/** Items of a list: neighbours (an earlier batch or a part of it) or items from anywhere; some in other words. */
function sample(random: Random, list: readonly Item[], size: number): Item[] {
  if (list.length === 0) return []
  const first = random.below(list.length)
  const items = random.chance(0.5) ? list.slice(first, first + size) : Array.from({ length: size }, () => random.pick(list))
  return items.map((item) => (random.chance(0.2) ? inOtherWords(item) : item))
}

function shuffled(random: Random, items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, place: random.below(2 ** 30) }))
    .sort((one, other) => one.place - other.place)
    .map(({ item }) => item)
}
