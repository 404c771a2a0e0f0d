import { isUtf8 } from 'node:buffer'
import type { FastifyRequest } from 'fastify'
import { parseForeignBody } from '../../admission/request-items.ts'
import { DecidedError } from '../../contract/decided-error.ts'
import { toWritable } from '../../contract/fields/json.ts'
import type { PaymentAdapter, WebhookContext } from '../../contract/payment-adapter.ts'
import type { KeptWebhook, WebhookCode } from '../../contract/payment-webhook.ts'
import { adaptedCallbacks } from './payment-webhook.ts'

/** A webhook whose signature is good. */
export interface ArrivedWebhook {
  body: Buffer
  context: WebhookContext
}

/** The callbacks that an adapter makes of a webhook, with the part of it that it ignores; or why it makes none. */
export type MappedWebhook = { callbacks: readonly object[]; part?: NotMapped } | NotMapped

export interface NotMapped {
  code: WebhookCode
  message: string
  /** The answer to the provider of a webhook that the adapter refuses. */
  refusal?: DecidedError
}

const NO_CALLBACK = 'its adapter made no callback of it'
/** JSON of a text may take six times its bytes. Base64 takes a third more. */
const TEXT_GROWTH_MAX = 4 / 3

/** A webhook as its adapter gets it. */
export function arrivedWebhook({ headers = [] }: PaymentAdapter, request: FastifyRequest, body: Buffer): ArrivedWebhook {
  const [contentType = ''] = (request.headers['content-type'] ?? '').split(';', 1)
  const shown = headers.flatMap((name) => {
    const value = request.headers[name]
    return value === undefined ? [] : [[name, [value].flat().join(', ')] as const]
  })
  return { body, context: { contentType: contentType.trim().toLowerCase(), headers: Object.fromEntries(shown) } }
}

/** Has an adapter map a webhook. What the adapter refuses, and a body that is not the JSON that it should be, is not thrown. */
export async function mapWebhook(adapter: PaymentAdapter, { body, context }: ArrivedWebhook): Promise<MappedWebhook> {
  try {
    // A copy, because an adapter may change what it gets.
    const given = isJson(context.contentType) ? parseForeignBody(body) : new Uint8Array(body)
    const { callbacks, ignored } = await adaptedCallbacks(adapter, given, context)
    if (callbacks.length === 0) return { code: 'ignored', message: ignored ?? NO_CALLBACK }
    return ignored === undefined ? { callbacks } : { callbacks, part: { code: 'ignored', message: `in part: ${ignored}` } }
  } catch (error) {
    if (error instanceof DecidedError) return refusedWith(error)
    throw error
  }
}

/** A webhook that is refused with this answer. */
export function refusedWith(refusal: DecidedError): NotMapped {
  return { code: 'refused', message: refusal.message, refusal }
}

/** A webhook with everything that its adapter gets. */
export function keptWebhookOf(provider: string, { body, context: { contentType, headers } }: ArrivedWebhook): KeptWebhook {
  return { provider, content_type: contentType, headers, ...keptBodyOf(contentType, body) }
}

/** What `keptWebhookOf` was made of. */
export function arrivedFrom({ content_type: contentType, headers, form, body }: KeptWebhook): ArrivedWebhook {
  const bytes =
    form === 'json' ? Buffer.from(JSON.stringify(body ?? null)) : Buffer.from(String(body), form === 'text' ? 'utf8' : form)
  return { body: bytes, context: { contentType, headers } }
}

function keptBodyOf(contentType: string, body: Buffer): Pick<KeptWebhook, 'form' | 'body'> {
  if (isJson(contentType)) {
    const json = jsonIn(body)
    if (json !== undefined) return { form: 'json', body: json }
  }
  const text = isUtf8(body) ? body.toString() : undefined
  const isShort = text !== undefined && Buffer.byteLength(JSON.stringify(text)) <= 2 + body.length * TEXT_GROWTH_MAX
  return isShort ? { form: 'text', body: text } : { form: 'base64', body: body.toString('base64') }
}

/** Undefined for a body that is not JSON, or that JSON.stringify cannot write. */
function jsonIn(body: Buffer): unknown {
  try {
    const json = parseForeignBody(body)
    return toWritable(json) === json ? json : undefined
  } catch {
    return undefined
  }
}

function isJson(contentType: string): boolean {
  return ['application/json', 'text/json', 'text/plain'].includes(contentType) || contentType.endsWith('+json')
}
