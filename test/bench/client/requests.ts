import { randomUUID } from 'node:crypto'
import { signatureOf } from '../../../src/external/webhook-signature.ts'
import { analyticsTraffic } from '../items/analytics-events.ts'
import type { Item } from '../items/events.ts'
import type { Outgoing } from './drive.ts'
import type { CallJob, IngestJob, Page, ReadJob, RepeatJob } from './job.ts'
import { paymentCallback } from '../items/payments.ts'

/** A request with events, as the bytes of one write. */
export function ingestRequest(
  { url, key: apiKey, isKeyed, isAsync, isTracked }: IngestJob,
  interactions: readonly Item[],
): Outgoing {
  const { host, pathname } = new URL(url)
  const body = JSON.stringify(isTracked ? interactions[0] : { interactions })
  const key = isKeyed ? `idempotency-key: ${randomUUID()}\r\n` : ''
  const prefer = isAsync ? 'prefer: respond-async\r\n' : ''
  const head = `POST ${pathname} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\n${key}${prefer}${authorization(apiKey)}content-length: ${Buffer.byteLength(body)}\r\n\r\n`
  const expected = Buffer.from(`"accepted":${interactions.length},"duplicates":0,`)
  return {
    bytes: Buffer.from(head + body),
    events: interactions.length,
    problemOf: (answer) => (isAsync || isTracked || answer.includes(expected) ? undefined : `not accepted: ${answer.toString()}`),
  }
}

/** A POST of a body that may be wrong. */
export function repeatedRequest({ url, key }: RepeatJob, body: string): Outgoing {
  const { host, pathname } = new URL(url)
  const head = `POST ${pathname} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\n${authorization(key)}content-length: ${Buffer.byteLength(body)}\r\n\r\n`
  return { bytes: Buffer.from(head + body), events: 0, problemOf: () => undefined }
}

/** A payment callback, a batch of analytics events, or an empty body. */
export function callRequest({ url, of, secret, requestEvents = 1 }: CallJob, index: number): Outgoing {
  const { host, pathname } = new URL(url)
  const body = JSON.stringify(bodyOf(of, index, requestEvents))
  const signature = secret === undefined ? '' : `x-signature: ${signatureOf(body, secret, Date.now())}\r\n`
  const head = `POST ${pathname} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\n${signature}content-length: ${Buffer.byteLength(body)}\r\n\r\n`
  const isAccepted = (answer: Buffer) => of === 'nothing' || answer.includes(`"accepted":${requestEvents},`)
  return {
    bytes: Buffer.from(head + body),
    events: requestEvents,
    problemOf: (answer) => (isAccepted(answer) ? undefined : `not accepted: ${answer.toString()}`),
  }
}

export function authorization(key: string | undefined): string {
  return key === undefined ? '' : `authorization: Bearer ${key}\r\n`
}

const nextEvent = analyticsTraffic(randomUUID())

function bodyOf(of: CallJob['of'], index: number, requestEvents: number): object {
  if (of === 'payments') return paymentCallback(index)
  return of === 'events' ? { events: Array.from({ length: requestEvents }, nextEvent) } : {}
}

export type OnSighting = (askedAtMs: number, purchases: number) => void

/** A request for a page, as bytes. The whole answer is checked, because a short list is an error, too. */
export function readRequest({ url, key }: ReadJob, page: Page, onSighting: OnSighting): Outgoing {
  const { host } = new URL(url)
  const headerLines = Object.entries(page.headers ?? {})
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')
  return {
    bytes: Buffer.from(`GET ${page.path} HTTP/1.1\r\nhost: ${host}\r\n${headerLines}${authorization(key)}\r\n`),
    events: 0,
    problemOf: (answer, askedAtMs) => {
      if (page.items !== undefined && timesIn(answer, PRODUCT) !== page.items)
        return `${timesIn(answer, PRODUCT)} products instead of ${page.items}`
      if (!page.isProbed) return undefined
      if (!answer.subarray(0, PROBE.length).equals(PROBE)) return `no probe: ${answer.toString('utf8', 0, 100)}`
      const purchases = purchasesOf(answer)
      if (Number.isNaN(purchases)) return `no purchases: ${answer.toString('utf8', 0, 400)}`
      onSighting(askedAtMs, purchases)
      return undefined
    },
  }
}

const PRODUCT = Buffer.from('{"product_id":"')
const PROBE = Buffer.from('{"data":[{"product_id":"probe-')
const PURCHASES = Buffer.from('"purchase_count":')

function timesIn(answer: Buffer, part: Buffer): number {
  let times = 0
  for (let place = answer.indexOf(part); place >= 0; place = answer.indexOf(part, place + part.length)) times++
  return times
}

/** The purchases of the first product. */
function purchasesOf(answer: Buffer): number {
  const start = answer.indexOf(PURCHASES) + PURCHASES.length
  return Number.parseInt(answer.toString('latin1', start, start + 16), 10)
}
