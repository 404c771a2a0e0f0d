import type { BatchAnswer } from './mapping/item-kind.ts'

/** What the answers say about rows that are recorded. */
export interface Notes {
  /** How many rows have each event type that has no weight. */
  unweighted: Map<string, number>
  /** How many rows are recorded without each field. */
  withoutField: Map<string, number>
}

/** Types in a line; the most frequent ones are enough to find a wrong rule. */
const TYPES_SHOWN_MAX = 10

export function newNotes(): Notes {
  return { unweighted: new Map(), withoutField: new Map() }
}

export function addNotes({ unweighted, withoutField }: Notes, answer: BatchAnswer): void {
  for (const { event_type: type, indexes } of answer.unweighted ?? []) add(unweighted, type, indexes.length)
  for (const { field } of answer.warnings ?? []) add(withoutField, field, 1)
}

/** The notes of all files, a sentence each. */
export function noteLines(all: readonly Notes[]): string[] {
  const { unweighted, withoutField } = newNotes()
  for (const notes of all) {
    for (const [type, count] of notes.unweighted) add(unweighted, type, count)
    for (const [field, count] of notes.withoutField) add(withoutField, field, count)
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

/** Counts by name, the highest first. */
export function mostFirst(counts: ReadonlyMap<string, number>): [name: string, count: number][] {
  return [...counts].toSorted(([one, ones], [other, others]) => others - ones || (one < other ? -1 : 1))
}

function add(counts: Map<string, number>, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count)
}
