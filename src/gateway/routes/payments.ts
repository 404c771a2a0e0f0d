import type { FastifyReply, FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { DecidedError, notFound } from '../../contract/decided-error.ts'
import { ErrorBody } from '../../contract/error.ts'
import { RecordPaymentRequest, RecordPaymentResponse, SourceSlug } from '../../contract/payment.ts'
import type { PaymentAdapter } from '../../contract/payment-adapter.ts'
import { toWritable } from '../../contract/fields/json.ts'
import { requireSignature } from '../access/webhook-signature.ts'
import { keepWebhook } from '../recording/keep-webhook.ts'
import { type ArrivedWebhook, arrivedWebhook, mapWebhook, type NotMapped, refusedWith } from '../recording/map-webhook.ts'
import { isSignatureShown, requireAdapterSignature, SIGNATURE } from '../recording/payment-webhook.ts'
import { refuseEarlyCallbacks, refuseFutureCallbacks } from '../recording/early-callback.ts'
import { senderOf } from '../recording/sender.ts'
import type { BodySignature } from '../http/json-body.ts'
import { unknownOutcome } from '../recording/unknown-outcome.ts'
import type { Recording } from '../recording/ways.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

export const ORDERS_TAG = { name: 'orders', description: 'What payment providers report: sold, taken back, exactly once.' }

/** A thousand items fit, with the longest ids. */
const BODY_BYTES_MAX = 2 * 1024 * 1024
/** Possible with an adapter only, because it makes up to 100 callbacks of one body. */
const TOO_LARGE = 'the callbacks of the adapter are over 16 MiB: make fewer of one webhook'

/** An example of a provider's own form. */
const WEBHOOK = { id: 'evt_1', type: 'customer.created', created: 1_772_366_400, data: { object: {} } }

const ANSWERS = {
  200: z
    .object({ data: RecordPaymentResponse })
    .describe(
      'The outcome of the callback: recorded, a duplicate, or rejected; and which part of a refund could not be taken back.',
    )
    .meta({ examples: [{ data: { accepted: 1, duplicates: 0, duplicate_indexes: [], rejected: [] } }] }),
  401: ErrorBody.describe('The signature is missing, not of this body, older than 5 minutes, or from the future.'),
  413: ErrorBody.describe('The body is over 2 MiB.'),
  503: ErrorBody.describe(
    'Outcome unknown: send the same callback again. Or the callback is from the future, and must be sent again later. Or no secret is set here, or too much waits here already, and nothing was recorded.',
  ),
}

const RECORD = {
  operationId: 'recordPayment',
  summary: 'Record a payment callback',
  description:
    'A webhook. `x-signature` is `t=<unix seconds>,v1=<hex>`, with the HMAC-SHA256 of `<t>.<body>` by the secret of `PAYMENT_SECRET_FILE`. Once per provider and callback id, for ever. A success becomes a `purchase` of each item and sale lines; a refund or a cancellation takes back the items listed, or all, never more than was sold, and when it comes before its payment it waits for it.',
  tags: ['orders'],
  headers: z.object({ [SIGNATURE]: z.string().optional().describe('`t=<unix seconds>,v1=<hex>`; needed.') }),
  body: RecordPaymentRequest,
  querystring: z.strictObject({}),
  response: { ...ANSWERS, 400: ErrorBody.describe('The body is not a callback; `details` names the fields.') },
}

const RECORD_ADAPTED = {
  operationId: 'recordAdaptedPayment',
  summary: "Record a provider's webhook",
  description:
    'A webhook in the form and with the signature of its provider, mapped by the adapter of `PAYMENT_ADAPTERS`. Any content type is taken. What the adapter refuses or ignores is kept, once.',
  tags: ['orders'],
  consumes: ['application/json', 'application/x-www-form-urlencoded', 'application/xml', 'text/xml'],
  params: z.strictObject({ provider: SourceSlug.describe('As its adapter is called.').meta({ examples: ['stripe'] }) }),
  body: z.unknown().meta({ description: 'As the provider sends it.', examples: [WEBHOOK] }),
  querystring: z.strictObject({}),
  response: {
    ...ANSWERS,
    202: z
      .object({ data: RecordPaymentResponse })
      .describe('The adapter refuses the webhook, which is kept, and says that its provider need not send it again.')
      .meta({ examples: [{ data: refusedAnswer('the adapter of shopify: line 11 has no product') }] }),
    400: ErrorBody.describe(
      'The adapter refuses the webhook, e.g. because its body is not JSON; `details` names the fields. The webhook is kept, and should be sent again.',
    ),
    404: ErrorBody.describe('There is no adapter of the provider.'),
  },
}

/** Both addresses need no key, because the signature of the body is the proof. */
const signedBy = (signature: BodySignature) =>
  ({ bodyLimit: BODY_BYTES_MAX, config: { access: 'open', signature } }) as const satisfies RouteShorthandOptions

export function paymentRoutes(deps: RouteDeps): RoutePlugin {
  const { recording, paymentWebhooks } = deps
  const { secrets, adapters } = paymentWebhooks
  const adapterOf = adapterFinder(adapters)
  const own = signedBy({
    isShown: ({ headers }) => {
      if (secrets.length === 0)
        throw new DecidedError('unavailable', 'payment callbacks are not set up here: PAYMENT_SECRET_FILE')
      return isSignatureShown({}, headers)
    },
    check: async ({ headers }, body) =>
      requireSignature({ name: SIGNATURE, header: headers[SIGNATURE], body, secrets, nowMs: Date.now() }),
  })
  const adapted = signedBy({
    isShown: ({ params, headers }) => isSignatureShown(adapterOf(params), headers),
    check: ({ params, headers }, body) => requireAdapterSignature(adapterOf(params), headers, body),
    hasForeignForm: true,
  })
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()
    // A request without a body has nothing that could have been checked.
    app.addHook('preValidation', async ({ isSigned }) => {
      if (!isSigned) throw new DecidedError('unauthorized', 'a signed body is needed')
    })

    routes.post('/api/v1/orders/payment/callback', { ...own, schema: RECORD }, async (request) => ({
      data: await record(recording, request, [request.body]),
    }))

    routes.post('/api/v1/orders/payment/callback/:provider', { ...adapted, schema: RECORD_ADAPTED }, async (request, reply) => {
      const adapter = adapterOf(request.params)
      return receiveWebhook(deps, { adapter, request, reply }, arrivedWebhook(adapter, request, request.body as Buffer))
    })
  }
}

interface Receiving {
  adapter: PaymentAdapter
  request: FastifyRequest
  reply: FastifyReply
}

/** Records what the adapter makes of a webhook, or keeps the webhook. @throws DecidedError for a webhook that the provider must send again. */
async function receiveWebhook(deps: RouteDeps, { adapter, request, reply }: Receiving, webhook: ArrivedWebhook) {
  const { answer, notMapped } = await recordWebhook(deps, adapter, request, webhook)
  if (answer !== undefined) deps.observer.webhook(adapter.provider, 'mapped')
  if (notMapped === undefined) return { data: answer! }
  deps.observer.webhook(adapter.provider, notMapped.code)
  const isKept = await keepWebhook(deps, request, adapter, webhook, notMapped)
  if (notMapped.refusal === undefined) return { data: answer ?? sumOf([]) }
  if (!isKept || !adapter.acknowledgesRefused) throw notMapped.refusal
  request.failure = notMapped.refusal.cause
  return reply.code(202).send({ data: refusedAnswer(notMapped.message) })
}

/** The answer to a webhook of which something was recorded, and what was not mapped: all of it, or a part. */
interface RecordedWebhook {
  answer?: RecordPaymentResponse
  notMapped?: NotMapped | undefined
}

/** @throws DecidedError when the outcome is unknown. */
async function recordWebhook(
  { recording }: RouteDeps,
  adapter: PaymentAdapter,
  request: FastifyRequest,
  webhook: ArrivedWebhook,
): Promise<RecordedWebhook> {
  const mapped = await mapWebhook(adapter, webhook)
  if (!('callbacks' in mapped)) return { notMapped: mapped }
  try {
    return { answer: await record(recording, request, mapped.callbacks), notMapped: mapped.part }
  } catch (error) {
    if (error instanceof DecidedError && error.code === 'too_large') return { notMapped: refusedWith(error) }
    throw error
  }
}

function refusedAnswer(message: string): RecordPaymentResponse {
  return { accepted: 0, duplicates: 0, duplicate_indexes: [], rejected: [{ index: 0, code: 'refused', field: null, message }] }
}

/** The parameters are unknown, because the signature is checked before they are validated. */
function adapterFinder(adapters: readonly PaymentAdapter[]): (params: unknown) => PaymentAdapter {
  const byProvider = new Map(adapters.map((adapter) => [adapter.provider, adapter]))
  return (params) => {
    const adapter = byProvider.get((params as { provider: string }).provider)
    if (adapter === undefined) throw notFound('there is no adapter of this provider')
    return adapter
  }
}

/** @throws DecidedError when the outcome is unknown. */
async function record(
  { payments }: Recording,
  request: FastifyRequest,
  callbacks: readonly object[],
): Promise<RecordPaymentResponse> {
  refuseFutureCallbacks(callbacks, Date.now())
  const json = JSON.stringify(callbacks.map(toWritable)).slice(1, -1)
  const answer = await payments
    .record({ json, count: callbacks.length, ...senderOf(request) })
    .then(sumOf)
    .catch((error: unknown) => {
      throw unknownOutcome(error, 'send the same callback again', { tooLarge: TOO_LARGE })
    })
  refuseEarlyCallbacks(answer)
  return answer
}

/** One answer about all callbacks of a request, with their indexes in it. */
function sumOf(results: readonly RecordPaymentResponse[]): RecordPaymentResponse {
  return {
    accepted: results.reduce((sum, { accepted }) => sum + accepted, 0),
    duplicates: results.reduce((sum, { duplicates }) => sum + duplicates, 0),
    duplicate_indexes: results.flatMap(({ duplicates }, index) => (duplicates > 0 ? [index] : [])),
    rejected: results.flatMap(({ rejected }, index) => rejected.map((rejection) => ({ ...rejection, index }))),
  }
}
