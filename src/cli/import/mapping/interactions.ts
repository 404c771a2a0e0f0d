import * as clients from '@restatedev/restate-sdk-clients'
import { type CreateInteractionRequest, type CreateInteractionResponse, Interaction } from '../../../contract/interaction.ts'
import { judgeInteractions } from '../../../admission/interaction.ts'
import { analyticApi } from '../../../contract/services.ts'
import { INTERACTION_NAMES } from './header-names.ts'
import type { ItemKind } from './item-kind.ts'
import { parsedJson } from '../source/json-record.ts'
import { elementIdOf, eventIdOf, type Row, textOf } from '../source/row.ts'
import { readInstant } from '../values/instant.ts'
import { type DecimalMark, plainNumber } from '../values/number.ts'
import { readTextOrId } from '../values/text.ts'
import { Unreadable } from '../values/unreadable.ts'

const METADATA = 'metadata.'
const FIELDS: readonly string[] = Object.keys(Interaction.shape)
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Numbers that a double holds without loss. A text such as 0042 stays a text. */
const NUMBER = /^-?(?:0|[1-9]\d{0,14})(?:\.\d{1,15})?$/

/** Rows as interactions, with the fields of the contract and metadata keys such as `metadata.price`. */
export const INTERACTIONS: ItemKind = {
  noun: 'an interaction',
  fields: FIELDS,
  fieldsInWords: `${FIELDS.join(', ')} and metadata.<key>`,
  isField: (name) => FIELDS.includes(name) || metadataKeyOf(name) !== undefined,
  needed: [['event_type'], ['ref_id'], ['account_id', 'session_id'], ['occurred_at', 'event_id']],
  exclusive: ['event_id', 'event_key'],
  // A column named event_id counts only where it has a UUID, because other numbers of events may not be unique.
  named: { event_id: [{ column: 'event_id', words: 'it is a UUID', holds: (cell) => UUID.test(cell) }] },
  ids: new Set(['event_key', 'ref_id', 'account_id', 'account_number', 'session_id']),
  timeField: 'occurred_at',
  implied: (given) => ({
    event_id: given.has('event_key')
      ? 'made of the event_key; otherwise of the content of the row'
      : 'made of the content of the row',
    ref_type: 'the constant "Product"',
  }),
  headerNames: INTERACTION_NAMES,
  read: (field, cell, { time, mark }) => {
    if (field === 'occurred_at') return readInstant(textOf(cell), time)
    if (field === 'metadata') return typeof cell === 'string' ? readJson(cell) : cell
    // The contract reads it, as in a request.
    if (field === 'account_number') return cell
    if (metadataKeyOf(field) !== undefined) return readNumberOrOther(cell, mark)
    return readTextOrId(Interaction.shape, field, cell)
  },
  itemOf: (values, { row }) => {
    const item: Record<string, unknown> = { ref_type: 'Product' }
    const metadata: [key: string, value: unknown][] = []
    for (const [field, value] of values) {
      const key = metadataKeyOf(field)
      if (key === undefined) item[field] = value
      else metadata.push([key, value])
    }
    if (metadata.length > 0) item['metadata'] = { ...(item['metadata'] as object | undefined), ...Object.fromEntries(metadata) }
    // The handler makes the id of a key.
    if (item['event_key'] === undefined) item['event_id'] = idOf(row, item['event_id'])
    else item['event_key'] = keyOf(row, item['event_key'])
    return item
  },
  judge: (item, nowMs) => {
    const { rows, rejections, warnings } = judgeInteractions([item], nowMs, () => '')
    if (rejections[0] !== undefined) return { field: rejections[0].field, reason: rejections[0].message }
    const { eventId, occurredAtMs } = rows[0]!
    return { timeMs: occurredAtMs, key: `${eventId} ${occurredAtMs}`, withoutFields: warnings.map(({ field }) => field) }
  },
  record: (ingress, interactions, call) =>
    ingress
      .client(analyticApi)
      .CreateInteraction({ interactions }, clients.rpc.opts<CreateInteractionRequest, CreateInteractionResponse>(call)),
}

/** The first element of a record's list keeps the id that the record has; without such an id each element has one of its own. */
function idOf(row: Row, given: unknown): unknown {
  if (given === undefined) return eventIdOf(row)
  const { element = 0 } = row
  return element > 0 && typeof given === 'string' && UUID.test(given) ? elementIdOf(given, element) : given
}

/** The first element of a record's list keeps the key that the record has. */
function keyOf({ element = 0 }: Row, given: unknown): unknown {
  return element > 0 && typeof given === 'string' ? `${given}[${element}]` : given
}

/** A text that is a number as that number; any other value as it is. */
function readNumberOrOther(cell: unknown, mark: DecimalMark | undefined): unknown {
  if (typeof cell !== 'string') return cell
  const plain = mark === undefined ? cell : plainNumber(cell, mark)
  return plain !== undefined && NUMBER.test(plain) ? Number(plain) : cell
}

/** `price` for `metadata.price`. */
function metadataKeyOf(field: string): string | undefined {
  return field.startsWith(METADATA) && field.length > METADATA.length ? field.slice(METADATA.length) : undefined
}

function readJson(text: string): unknown {
  const value = parsedJson(text)
  return value === undefined ? new Unreadable('is not JSON') : value
}
