import { createHmac, timingSafeEqual } from 'node:crypto'
import { DecidedError } from '../../contract/decided-error.ts'

/** How old a signature may be, and how far ahead the sender's clock may be. */
const SIGNATURE_SECONDS_MAX = 300
/** Signatures in one header. A sender that changes its secret signs with the old and the new one. */
const SIGNATURES_MAX = 8
const TIME = /^\d{1,12}$/
/** An HMAC-SHA256. */
const HEX = /^[0-9a-f]{64}$/i

/** A header of the form `t=<unix seconds>,v1=<hex>`, with one v1 or several. */
export interface ShownSignature {
  /** The name of the header, for messages. */
  name: string
  header: string | string[] | undefined
  nowMs: number
}

export interface Signed extends ShownSignature {
  body: Buffer
  /** The valid secrets: one, or two during a change. */
  secrets: readonly string[]
}

/**
 * Checks what of a signature can be checked without the body: its form, and that t is at most 5 minutes from now.
 * @throws DecidedError `unauthorized` otherwise.
 */
export function requireRecentSignature({ name, header, nowMs }: ShownSignature): void {
  requireRecent(name, signatureIn(name, header).time, nowMs)
}

/**
 * Checks that v1 is the HMAC-SHA256 of `<t>.<body>` with one of the secrets, in hex, and that t is at most 5 minutes from now. The scheme
 * is that of Stripe's webhooks. @throws DecidedError `unauthorized` otherwise.
 */
export function requireSignature({ name, header, body, secrets, nowMs }: Signed): void {
  const { time, shown } = signatureIn(name, header)
  const expected = secrets.map((secret) => createHmac('sha256', secret).update(`${time}.`).update(body).digest())
  // All pairs are compared, so that the time does not reveal which one matched.
  const matches = shown.flatMap((text) => expected.map((digest) => isDigest(text, digest)))
  if (!matches.includes(true)) throw refusal(`${name} is not the signature of this body`)
  requireRecent(name, time, nowMs)
}

function signatureIn(name: string, header: ShownSignature['header']): { time: string; shown: string[] } {
  if (header === undefined) throw refusal(`sign the body: ${name}: t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`)
  const fields = [header]
    .flat()
    .join(',')
    .split(',')
    .map((field) => field.trim().split('='))
  const times = fields.filter(([key]) => key === 't').map(([, value = '']) => value)
  const shown = fields.filter(([key]) => key === 'v1').map(([, value = '']) => value)
  const [time = ''] = times
  const isWellFormed =
    times.length === 1 && TIME.test(time) && shown.length <= SIGNATURES_MAX && shown.some((text) => HEX.test(text))
  if (!isWellFormed) {
    throw refusal(`${name} must be t=<unix seconds>,v1=<hex>`)
  }
  return { time, shown }
}

function requireRecent(name: string, time: string, nowMs: number): void {
  const ageSeconds = nowMs / 1_000 - Number(time)
  if (ageSeconds > SIGNATURE_SECONDS_MAX) throw refusal(`${name} is older than 5 minutes: sign again`)
  if (ageSeconds < -SIGNATURE_SECONDS_MAX) throw refusal(`${name} is from the future: set the clock`)
}

function refusal(message: string): DecidedError {
  return new DecidedError('unauthorized', message)
}

function isDigest(hex: string, digest: Buffer): boolean {
  const bytes = HEX.test(hex) ? Buffer.from(hex, 'hex') : Buffer.alloc(digest.length)
  return timingSafeEqual(bytes, digest)
}
