import { type AssignedIdentity, storableItem, withEventId } from './event-identity.ts'
import { earliestMsOf } from './item-parts.ts'
import type { Privacy } from './privacy.ts'

export interface ItemWriting {
  /** Undefined for items without the fields of a shopper's device. */
  privacy: Privacy | undefined
  /** The time of arrival, for events that need ids; undefined for items that get none. */
  idsAtMs: number | undefined
}

export interface WrittenItems {
  /** Each item as JSON. */
  texts: string[]
  /** The earliest time of each. */
  earliest: number[]
  /** The ids that events without one were given. */
  assigned: AssignedIdentity[]
}

/**
 * Writes items in the form that may be stored. They are taken one by one, so that items which are parsed on the way are not all in
 * memory.
 */
export function writeItems(items: Iterable<unknown>, { privacy, idsAtMs }: ItemWriting): WrittenItems {
  const texts: string[] = []
  const earliest: number[] = []
  const assigned: AssignedIdentity[] = []
  for (const item of items) {
    const stored = storableItem(item, privacy)
    const identified = idsAtMs === undefined ? { event: stored } : withEventId(stored, idsAtMs)
    if (identified.assigned !== undefined) assigned.push({ index: texts.length, ...identified.assigned })
    texts.push(JSON.stringify(identified.event))
    earliest.push(earliestMsOf(identified.event))
  }
  return { texts, earliest, assigned }
}
