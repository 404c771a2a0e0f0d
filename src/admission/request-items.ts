import { isUtf8 } from 'node:buffer'
import { z } from 'zod'
import { RecordEventsRequest } from '../contract/analytics-event.ts'
import { DecidedError } from '../contract/decided-error.ts'
import { CreateInteractionRequest, METADATA_BYTES_MAX } from '../contract/interaction.ts'
import { UpsertProductsRequest } from '../contract/product.ts'
import { plainMessage } from '../contract/fields/zod-messages.ts'
import { invalidRequest } from './invalid-request.ts'
import { endOfValue, ScanError, type ScannedField, scanFields, TooManyValues } from './scan-request.ts'

/** The requests that list items to be judged one by one, by the field of the list. The items are unknown to their schemas. */
const REQUESTS = {
  interactions: CreateInteractionRequest,
  events: RecordEventsRequest,
  products: UpsertProductsRequest,
}

export type ItemList = keyof typeof REQUESTS

const ITEMS_MAX = Object.fromEntries(Object.entries(REQUESTS).map(([list, schema]) => [list, itemsMaxIn(schema, list)]))

/**
 * A valid item has fewer values than METADATA_BYTES_MAX: each value of its metadata takes two bytes, and 1,000 items of a payment have
 * five values each. Items with up to four times as many are rejected alone, with their reason; a large request with more is refused.
 */
export const ITEM_VALUES_MAX = 4 * METADATA_BYTES_MAX

/** An adapter makes up to 100 callbacks of a webhook, of many items each. */
const FOREIGN_VALUES_MAX = 4 * ITEM_VALUES_MAX

/** The items of a request that lists them, parsed as a whole. @throws DecidedError for a body that is not such a request. */
export function itemsOfRequest(body: Buffer, list: ItemList): readonly unknown[] {
  return checked(parse(textOf(body)), list)
}

/**
 * The same for a large request, which is checked by its structure first. Each of its items is parsed when it is taken.
 * @throws DecidedError for a body that is not such a request, also while items are taken.
 */
export function itemsOfLargeRequest(body: Buffer, list: ItemList): Iterable<unknown> {
  const text = textOf(body)
  const limits = { itemsMax: ITEMS_MAX[list]!, valuesMax: ITEM_VALUES_MAX }
  const fields = scanned(list, () => scanFields(text, limits))
  checked(fields === undefined ? parseBounded(text) : parse(envelopeOf(fields)), list)
  // Of equal fields, whose names may have escapes, the last one counts. The others must be JSON too.
  const [last, ...others] = fields!.toReversed()
  for (const { spans } of others) for (const _item of itemsAt(text, spans));
  return itemsAt(text, last!.spans)
}

/** The items of a request, which may be placeholders. @throws DecidedError when it is not such a request. */
function checked(request: unknown, list: ItemList): readonly unknown[] {
  const { data, error } = REQUESTS[list].safeParse(request, { error: plainMessage })
  if (error !== undefined) throw invalidRequest(error.issues)
  return (data as Record<ItemList, unknown[]>)[list]
}

/** The most items of a request, as its schema says. */
function itemsMaxIn(schema: z.ZodObject, list: string): number {
  const { maxItems } = z.toJSONSchema(schema).properties![list] as z.core.JSONSchema.ArraySchema
  return maxItems!
}

/** The request with a placeholder for each item. */
function envelopeOf(fields: readonly ScannedField[]): string {
  const texts = fields.map(({ name, value, spans }) => `${name}:${value ?? `[${'0,'.repeat(spans.length / 2).slice(0, -1)}]`}`)
  return `{${texts.join(',')}}`
}

/** Any other body. @throws DecidedError when it is not JSON, or has more values than any valid request. */
export function parseBody(body: Buffer): unknown {
  return parseBounded(textOf(body))
}

/**
 * A signed body in the form of its sender, which may have any structure. @throws DecidedError when it is not JSON, or has more values
 * than any webhook.
 */
export function parseForeignBody(body: Buffer): unknown {
  return parseBounded(textOf(body), FOREIGN_VALUES_MAX)
}

function parseBounded(text: string, valuesMax = ITEM_VALUES_MAX): unknown {
  // A shorter text cannot have more values.
  if (text.length > 2 * valuesMax) scanned('', () => endOfValue(text, text.search(/\S/), valuesMax), valuesMax)
  return parse(text)
}

function* itemsAt(text: string, spans: readonly number[]): Generator {
  for (let place = 0; place < spans.length; place += 2) {
    yield parse(text.slice(spans[place], spans[place + 1]), `item ${place / 2}: `)
  }
}

/** Bytes that are not UTF-8 are refused, because ids would be read otherwise than they were sent. */
function textOf(body: Buffer): string {
  if (body.length === 0) throw new DecidedError('invalid_request', 'the body is empty')
  if (!isUtf8(body)) throw new DecidedError('invalid_request', 'the body is not UTF-8')
  return body.toString()
}

function scanned<T>(field: string, scan: () => T, valuesMax = ITEM_VALUES_MAX): T {
  try {
    return scan()
  } catch (error) {
    if (error instanceof ScanError) throw notJson(error.message)
    if (!(error instanceof TooManyValues)) throw error
    const problem = `has more than ${valuesMax} values`
    if (error.index === undefined) throw new DecidedError('invalid_request', `the body ${problem}`)
    throw new DecidedError('invalid_request', problem, { field: `${field}.${error.index}` })
  }
}

/**
 * JSON.parse instead of Fastify's parser, which rejects the whole request for a key __proto__: here it is an unknown field of one item.
 */
function parse(text: string, where = ''): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw notJson(where + (error as Error).message)
  }
}

function notJson(problem: string): DecidedError {
  return new DecidedError('invalid_request', `the body is not JSON: ${problem}`)
}
