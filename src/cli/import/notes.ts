import { addTo, type Counts, mostFirst } from './mapping/counts.ts'
import type { BatchAnswer } from './mapping/item-kind.ts'

/** What the answers say about rows that are recorded. */
export interface Notes {
  /** How many rows have each event type that has no weight. */
  unweighted: Counts
  /** How many rows are recorded without each field. */
  withoutField: Counts
}

/** Types in a line; the most frequent ones are enough to find a wrong rule. */
const TYPES_SHOWN_MAX = 10

export function newNotes(): Notes {
  return { unweighted: new Map(), withoutField: new Map() }
}

export function addNotes({ unweighted, withoutField }: Notes, answer: BatchAnswer): void {
  for (const { event_type: type, indexes } of answer.unweighted ?? []) addTo(unweighted, type, indexes.length)
  for (const { field } of answer.warnings ?? []) addTo(withoutField, field)
}

/** The notes of all files, a sentence each. */
export function noteLines(all: readonly Notes[]): string[] {
  const { unweighted, withoutField } = newNotes()
  for (const notes of all) {
    for (const [type, count] of notes.unweighted) addTo(unweighted, type, count)
    for (const [field, count] of notes.withoutField) addTo(withoutField, field, count)
  }
  const types = mostFirst(unweighted)
  const shown = types.slice(0, TYPES_SHOWN_MAX).map(([type, count]) => `${type} (${count})`)
  const more = types.length > TYPES_SHOWN_MAX ? `, and ${types.length - TYPES_SHOWN_MAX} more` : ''
  const rows = types.reduce((sum, [, count]) => sum + count, 0)
  return [
    ...(rows === 0
      ? []
      : [`${rowsHave(rows)} event types without a weight, which do not change scores: ${shown.join(', ')}${more}.`]),
    ...mostFirst(withoutField).map(([field, count]) => `${rowsAre(count)} recorded without a wrong ${field}.`),
  ]
}

const rowsHave = (count: number) => (count === 1 ? '1 row has' : `${count} rows have`)
const rowsAre = (count: number) => (count === 1 ? '1 row is' : `${count} rows are`)
