import { DecidedError } from '../../contract/decided-error.ts'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { ErrorBody } from '../../contract/error.ts'
import type { AdaptedCallback, PaymentAdapter } from '../../contract/payment-adapter.ts'
import {
  CALLBACKS_MAX,
  PaymentCallback,
  RecordPaymentRequest,
  RecordPaymentResponse,
  SourceSlug,
} from '../../contract/payment.ts'
import { plainMessage } from '../../contract/zod-messages.ts'
import { isOutage } from '../../ingress/outage.ts'
import { requireSignature } from '../access/webhook-signature.ts'
import type { RecordPayments } from '../recording/payment-writer.ts'
import { toWritable } from '../../contract/json.ts'

/** The header of callbacks in Footfall's own form. */
const SIGNATURE = 'x-signature'
/** A thousand items fit, with ids as long as they may be. */
const BODY_BYTES_MAX = 2 * 1024 * 1024

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Says that the bytes of a body are the sender's. @throws Problem when they are not. */
    checkSignature?: (request: FastifyRequest, body: Buffer) => Promise<void>
  }
  interface FastifyRequest {
    /** Whether its body went through `checkSignature`. */
    isSigned: boolean
  }
}

export interface PaymentDeps {
  payments: RecordPayments
  /** Secrets of callbacks in Footfall's own form; none when it takes none. */
  secrets: readonly string[]
  adapters: readonly PaymentAdapter[]
}

/** What such a body may look like. */
const WEBHOOK = { id: 'evt_1', type: 'customer.created', created: 1_772_366_400, data: { object: {} } }

const ANSWERS = {
  200: z
    .object({ data: RecordPaymentResponse })
    .describe('What became of the callback: recorded, known already, or refused; and what of a refund could not be taken back.')
    .meta({ examples: [{ data: { accepted: 1, duplicates: 0, duplicate_indexes: [], rejected: [] } }] }),
  401: ErrorBody.describe('The signature is missing, not of this body, older than 5 minutes, or from the future.'),
  413: ErrorBody.describe('The body is over 2 MiB.'),
  503: ErrorBody.describe(
    'Outcome unknown: send the same callback again. Or no secret is set here, or too much waits here already, and nothing was recorded.',
  ),
}

export function paymentRoutes({ payments, secrets, adapters }: PaymentDeps) {
  const ways = new Map(adapters.map((adapter) => [adapter.provider, adapter]))
  return async (app: FastifyInstance) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()
    app.decorateRequest('isSigned', false)
    // A request without a body has nothing that was checked.
    app.addHook('preValidation', async ({ isSigned }) => {
      if (!isSigned) throw new DecidedError('unauthorized', 'a signed body is needed')
    })

    routes.post(
      '/api/v1/orders/payment/callback',
      {
        bodyLimit: BODY_BYTES_MAX,
        config: {
          access: 'open',
          checkSignature: async ({ headers }, body) => {
            if (secrets.length === 0)
              throw new DecidedError('unavailable', 'payment callbacks are not set up here: PAYMENT_SECRET_FILE')
            requireSignature({ name: SIGNATURE, header: headers[SIGNATURE], body, secrets, nowMs: Date.now() })
          },
        },
        schema: {
          operationId: 'recordPayment',
          summary: 'Record a payment callback',
          description:
            'A webhook. `x-signature` is `t=<unix seconds>,v1=<hex>`, with the HMAC-SHA256 of `<t>.<body>` by the secret of `PAYMENT_SECRET_FILE`. Once per provider and callback id, for ever. A success becomes a `purchase` of each item and sale lines; a refund or a cancellation takes back the items listed, or all, never more than was sold, and when it comes before its payment it waits for it.',
          tags: ['orders'],
          headers: z.object({ [SIGNATURE]: z.string().optional().describe('`t=<unix seconds>,v1=<hex>`; needed.') }),
          body: RecordPaymentRequest,
          querystring: z.strictObject({}),
          response: { ...ANSWERS, 400: ErrorBody.describe('The body is not a callback; `details` names the fields.') },
        },
      },
      async (request) => ({ data: await record(payments, request, [request.body]) }),
    )

    routes.post(
      '/api/v1/orders/payment/callback/:provider',
      {
        bodyLimit: BODY_BYTES_MAX,
        config: {
          access: 'open',
          checkSignature: async ({ params, headers }, body) => checkAdapted(adapterOf(ways, params), headers, body),
        },
        schema: {
          operationId: 'recordAdaptedPayment',
          summary: "Record a provider's webhook",
          description:
            'A webhook in the form and with the signature of its provider, mapped by the adapter of `PAYMENT_ADAPTERS`.',
          tags: ['orders'],
          params: z.strictObject({ provider: SourceSlug.describe('As its adapter is called.').meta({ examples: ['stripe'] }) }),
          body: z.unknown().meta({ description: 'As the provider sends it.', examples: [WEBHOOK] }),
          querystring: z.strictObject({}),
          response: {
            ...ANSWERS,
            400: ErrorBody.describe('The body is not JSON, or its adapter made no callback of it; `details` names the fields.'),
            404: ErrorBody.describe('There is no adapter of the provider.'),
          },
        },
      },
      async (request) => {
        const adapter = adapterOf(ways, request.params)
        const adapted = await adaptedOf(adapter, request.body)
        const callbacks = adapted.map((callback) => ({ ...callback, provider: adapter.provider }))
        checkCallbacks(callbacks)
        return { data: await record(payments, request, callbacks) }
      },
    )
  }
}

function adapterOf(adapters: ReadonlyMap<string, PaymentAdapter>, params: unknown): PaymentAdapter {
  const { provider } = params as { provider: string }
  const adapter = adapters.get(provider)
  if (adapter === undefined) throw new DecidedError('not_found', 'there is no adapter of this provider')
  return adapter
}

/** What an adapter cannot make callbacks of is told to the provider, who sends it again. */
async function adaptedOf({ callbacksOf }: PaymentAdapter, body: unknown): Promise<readonly AdaptedCallback[]> {
  try {
    return await callbacksOf(body as never)
  } catch (cause) {
    throw new DecidedError('invalid_request', `the adapter: ${(cause as Error).message}`, { cause })
  }
}

async function checkAdapted(
  { provider, signatureHeader: name = SIGNATURE, secrets = [], isSigned }: PaymentAdapter,
  headers: FastifyRequest['headers'],
  body: Buffer,
): Promise<void> {
  if (isSigned === undefined) {
    requireSignature({ name, header: headers[name], body, secrets, nowMs: Date.now() })
  } else if (!(await isSigned({ headers, body, nowMs: Date.now() }))) {
    throw new DecidedError('unauthorized', `this was not signed by ${provider}`)
  }
}

/** A provider takes 200 for the end of it: what an adapter made wrong must be told, and sent again when the adapter is mended. */
function checkCallbacks(callbacks: readonly unknown[]): void {
  const details = callbacks.flatMap((callback, index) => {
    const issues = PaymentCallback.safeParse(callback, { error: plainMessage }).error?.issues ?? []
    return issues.map(({ path, message }) => ({ field: [index, ...path].join('.'), message }))
  })
  if (callbacks.length > CALLBACKS_MAX)
    throw new DecidedError('invalid_request', `the adapter made more than ${CALLBACKS_MAX} callbacks`)
  if (details.length === 0) return
  const { field, message } = details[0]!
  throw new DecidedError('invalid_request', `the adapter's callbacks: ${field} ${message}`, { details })
}

/** @throws Problem when nobody knows whether they were recorded. */
async function record(
  payments: RecordPayments,
  { raw }: FastifyRequest,
  callbacks: readonly unknown[],
): Promise<RecordPaymentResponse> {
  if (callbacks.length === 0) return sumOf([])
  const json = JSON.stringify(callbacks.map(toWritable)).slice(1, -1)
  try {
    return sumOf(await payments.record({ json, count: callbacks.length, connection: raw.socket }))
  } catch (error) {
    if (!isOutage(error)) throw error
    throw new DecidedError('unavailable', 'outcome unknown, send the same callback again', { cause: error })
  }
}

/** One answer about all callbacks of a request, by their places in it. */
function sumOf(results: readonly RecordPaymentResponse[]): RecordPaymentResponse {
  return {
    accepted: results.reduce((sum, { accepted }) => sum + accepted, 0),
    duplicates: results.reduce((sum, { duplicates }) => sum + duplicates, 0),
    duplicate_indexes: results.flatMap(({ duplicates }, index) => (duplicates > 0 ? [index] : [])),
    rejected: results.flatMap(({ rejected }, index) => rejected.map((one) => ({ ...one, index }))),
  }
}
