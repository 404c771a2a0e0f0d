import * as clients from '@restatedev/restate-sdk-clients'
import { type CreateInteractionRequest, type CreateInteractionResponse, Interaction } from '../../contract/interaction.ts'
import { analyticApi } from '../../contract/services.ts'
import { readInstant } from './instant.ts'
import type { ItemKind } from './item-kind.ts'
import { eventIdOf, textOf } from './row.ts'
import { Unreadable } from './unreadable.ts'

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
  // A column named event_id counts only where it has a UUID, because other numbers of events may not be unique.
  named: { event_id: [{ column: 'event_id', holds: (cell) => UUID.test(cell) }] },
  read: (field, cell, time) => {
    if (field === 'occurred_at') return readInstant(textOf(cell), time)
    if (field === 'metadata') return typeof cell === 'string' ? readJson(cell) : cell
    if (field === 'account_number' || metadataKeyOf(field) !== undefined) {
      return typeof cell === 'string' && NUMBER.test(cell) ? Number(cell) : cell
    }
    return textOf(cell)
  },
  itemOf: (values, row) => {
    const fields = [...values].filter(([field]) => metadataKeyOf(field) === undefined)
    const metadata = [...values].flatMap(([field, value]) => {
      const key = metadataKeyOf(field)
      return key === undefined ? [] : [[key, value] as const]
    })
    const item: Record<string, unknown> = { ref_type: 'Product', ...Object.fromEntries(fields) }
    if (metadata.length > 0) item['metadata'] = { ...(item['metadata'] as object | undefined), ...Object.fromEntries(metadata) }
    item['event_id'] ??= eventIdOf(row)
    return item
  },
  record: (ingress, interactions, call) =>
    ingress
      .client(analyticApi)
      .CreateInteraction({ interactions }, clients.rpc.opts<CreateInteractionRequest, CreateInteractionResponse>(call)),
}

/** `price` for `metadata.price`. */
function metadataKeyOf(field: string): string | undefined {
  return field.startsWith(METADATA) && field.length > METADATA.length ? field.slice(METADATA.length) : undefined
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return new Unreadable('is not JSON')
  }
}
