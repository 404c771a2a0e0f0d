import { createHash } from 'node:crypto'
import type { CreateInteractionResponse } from '../../src/contract/interaction.ts'
import type { Item } from './items.ts'

/** The name of the list that each recording handler takes. */
const LISTS = { CreateInteraction: 'interactions', RecordSearches: 'searches' } as const
export type Handler = keyof typeof LISTS

/** One batch, which is sent with the same bytes until it is acknowledged. */
export interface Call {
  name: string
  handler: Handler
  items: readonly Item[]
  body: string
  bodySha256: string
  idempotencyKey?: string
  /** The recorder that it is sent to; Analytic if absent. */
  recorder?: string
  /** No other call sends any of its events before it is acknowledged. */
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

/** A call that has not been sent. */
export function callOf(
  options: Pick<Call, 'name' | 'items' | 'isAlone' | 'isRepeat' | 'recorder'> & {
    idempotencyKey?: string | undefined
    handler?: Handler
  },
): Call {
  const { idempotencyKey, handler = 'CreateInteraction', ...rest } = options
  const body = JSON.stringify({ [LISTS[handler]]: options.items.map((item) => item.body) })
  const bodySha256 = createHash('sha256').update(body).digest('hex')
  return { ...rest, handler, body, bodySha256, sends: 0, ...(idempotencyKey === undefined ? {} : { idempotencyKey }) }
}

/** Sends a call once; undefined when its outcome is unknown. @throws when the whole call was refused. */
export async function send(ingressUrl: string, call: Call, patienceMs: number): Promise<Acknowledgement | undefined> {
  call.sends += 1
  try {
    const signal = AbortSignal.timeout(patienceMs)
    const service = call.recorder === undefined ? 'Analytic' : `Recorder/${call.recorder}`
    const response = await fetch(`${ingressUrl}/${service}/${call.handler}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(call.idempotencyKey === undefined ? {} : { 'idempotency-key': call.idempotencyKey }),
      },
      body: call.body,
      signal,
    })
    const invocationId = response.headers.get('x-restate-id') ?? ''
    const text = await response.text()
    if (response.ok) return await acknowledgementOf(ingressUrl, invocationId, text, signal)
    // For a moment after its start Restate does not know the services yet.
    if (response.status === 404 && text.includes('"source":"ingress"')) return undefined
    if (response.status < 500) throw new RefusedCall(`${call.name} was refused: ${response.status} ${text}`)
    return undefined
  } catch (error) {
    if (error instanceof RefusedCall) throw error
    return undefined
  }
}

/** The answer, or that of the call which records the items because PostgreSQL was away. */
async function acknowledgementOf(
  ingressUrl: string,
  invocationId: string,
  text: string,
  signal: AbortSignal,
): Promise<Acknowledgement | undefined> {
  const answer = JSON.parse(text) as Acknowledgement['answer'] & { waiting?: { invocation_id: string } }
  if (answer.waiting === undefined) return { invocationId, text, answer }
  const attached = await fetch(`${ingressUrl}/restate/attach/${answer.waiting.invocation_id}`, { signal })
  const final = await attached.text()
  return attached.ok ? { invocationId, text: final, answer: JSON.parse(final) as Acknowledgement['answer'] } : undefined
}

export class RefusedCall extends Error {}

/** Statements of an answer that no crash can explain. */
export function problemsOf(call: Call, { answer }: Acknowledgement): string[] {
  const { items } = call
  const rejected = items.flatMap(({ rejectedAs }, index) => (rejectedAs === undefined ? [] : [`${index} ${rejectedAs}`]))
  const identified = items.flatMap(({ event }) => event ?? [])
  const withoutId = items.length - rejected.length - identified.length
  const isFirst = call.isAlone && (call.sends === 1 || call.idempotencyKey !== undefined)
  const checks: [string, unknown, unknown][] = [
    ['accepted + duplicates + rejected', answer.accepted + answer.duplicates + answer.rejected.length, items.length],
    ['number of duplicate indexes', answer.duplicate_indexes.length, answer.duplicates],
    ['rejected', answer.rejected.map(({ index, code }) => `${index} ${code}`).join(), rejected.join()],
    ...(isFirst ? [['accepted, sent by no other call', answer.accepted, new Set(identified).size + withoutId] as const] : []),
    ...(call.isRepeat ? [['accepted, all acknowledged before', answer.accepted, 0] as const] : []),
  ] as [string, unknown, unknown][]
  return checks
    .filter(([, got, expected]) => got !== expected)
    .map(([what, got, expected]) => `${call.name}: ${what} is ${String(got)} and must be ${String(expected)}`)
}
