import { createHmac } from 'node:crypto'

/**
 * The value of the header x-signature for a body that is signed at `nowMs`: `t=<unix seconds>`, and a `v1=<hex HMAC-SHA256 of "t.body">` for
 * each secret. The scheme is that of Stripe's webhooks. During a change of the secret there are two.
 */
export function signatureOf(body: string | Buffer, secrets: string | readonly string[], nowMs: number): string {
  const time = Math.floor(nowMs / 1_000)
  const signatures = [secrets].flat().map((secret) => createHmac('sha256', secret).update(`${time}.`).update(body).digest('hex'))
  return [`t=${time}`, ...signatures.map((signature) => `v1=${signature}`)].join(',')
}
