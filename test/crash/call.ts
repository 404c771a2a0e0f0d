import { createHash } from 'node:crypto'
import type { CreateInteractionResponse } from '../../src/contract/interaction.ts'
import type { Item } from './items.ts'

/** Each handler that records batches, and the name of its list. */
const LISTS = { CreateInteraction: 'interactions', RecordSearches: 'searches' } as const
export type Handler = keyof typeof LISTS

/** One batch on its way: sent with the same bytes until it is acknowledged. */
export interface Call {
  name: string
  handler: Handler
  items: readonly Item[]
  body: string
  bodySha256: string
  idempotencyKey?: string
  /** Nobody else sends any of its events before it is acknowledged. */
  isAlone: boolean
  /** All its events were acknowledged before it was sent. */
  isRepeat: boolean
  sends: number
  acknowledged?: Acknowledgement
}

export interface Acknowledgement {
  invocationId: string
  text: string
  answer: CreateInteractionResponse
}

/** A call not sent yet. */
export function callOf(
  given: Pick<Call, 'name' | 'items' | 'isAlone' | 'isRepeat'> & { idempotencyKey?: string | undefined; handler?: Handler },
): Call {
  const { idempotencyKey, handler = 'CreateInteraction', ...rest } = given
  const body = JSON.stringify({ [LISTS[handler]]: given.items.map((item) => item.body) })
  const bodySha256 = createHash('sha256').update(body).digest('hex')
  return { ...rest, handler, body, bodySha256, sends: 0, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) }
}

/** Sends a call once; undefined when nobody knows what became of it. @throws when it was refused as a whole. */
export async function send(ingressUrl: string, call: Call, patienceMs: number): Promise<Acknowledgement | undefined> {
  call.sends += 1
  try {
    const response = await fetch(`${ingressUrl}/Analytic/${call.handler}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(call.idempotencyKey === undefined ? {} : { 'idempotency-key': call.idempotencyKey }),
      },
      body: call.body,
      signal: AbortSignal.timeout(patienceMs),
    })
    const text = await response.text()
    if (response.ok) return { text, answer: JSON.parse(text), invocationId: response.headers.get('x-restate-id') ?? '' }
    if (response.status < 500) throw new RefusedCall(`${call.name} was refused: ${response.status} ${text}`)
    return undefined
  } catch (error) {
    if (error instanceof RefusedCall) throw error
    return undefined
  }
}

export class RefusedCall extends Error {}

/** What an answer says that cannot be true, whatever crashed meanwhile. */
export function problemsOf(call: Call, { answer }: Acknowledgement): string[] {
  const { items } = call
  const refused = items.flatMap(({ refusedAs }, index) => (refusedAs === undefined ? [] : [`${index} ${refusedAs}`]))
  const named = items.flatMap(({ event }) => event ?? [])
  const withoutId = items.length - refused.length - named.length
  const isFirst = call.isAlone && (call.sends === 1 || call.idempotencyKey !== undefined)
  const wanted: [string, unknown, unknown][] = [
    ['accepted + duplicates + rejected', answer.accepted + answer.duplicates + answer.rejected.length, items.length],
    ['number of duplicate indexes', answer.duplicate_indexes.length, answer.duplicates],
    ['rejected', answer.rejected.map(({ index, code }) => `${index} ${code}`).join(), refused.join()],
    ...(isFirst ? [['accepted, sent by nobody else', answer.accepted, new Set(named).size + withoutId] as const] : []),
    ...(call.isRepeat ? [['accepted, all acknowledged before', answer.accepted, 0] as const] : []),
  ] as [string, unknown, unknown][]
  return wanted
    .filter(([, got, expected]) => got !== expected)
    .map(([what, got, expected]) => `${call.name}: ${what} is ${String(got)} and must be ${String(expected)}`)
}
