import { createHash } from 'node:crypto'
import type { FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { DecidedError, notFound } from '../../contract/decided-error.ts'
import { ErrorBody } from '../../contract/error.ts'
import { BODY_BYTES_MAX } from '../../contract/interaction.ts'
import { GetProductRequest, GetProductResponse, UpsertProductsRequest, UpsertProductsResponse } from '../../contract/product.ts'
import { catalogApi } from '../../contract/services.ts'
import { bodyOfItems } from '../../ingress/recorder.ts'
import { catalogProduct } from '../../store/catalog/catalog-product.ts'
import { callerIdOf, hangUpOf, taskCallerOf } from '../access/caller.ts'
import { IdempotencyKey, keyOf } from '../http/idempotency-key.ts'
import { refuseFalseAnswer } from '../recording/first-answer.ts'
import { readItems } from '../recording/read-items.ts'
import { unknownOutcome } from '../recording/unknown-outcome.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

export const CATALOG_TAG = { name: 'catalog', description: 'What is sold: lists leave out what it hides.' }

const TOO_LARGE = 'the body is over 16 MiB'

const Headers = z.object({
  'idempotency-key': IdempotencyKey.describe(
    'A text of yours, such as `stock-2026-03-01`. The same key and body get the first answer again, for an hour.',
  ),
})

const Upserted = z.object({ data: UpsertProductsResponse }).meta({
  description: 'The outcome of each product, even if every one was rejected.',
  examples: [{ data: { accepted: 1, duplicates: 0, duplicate_indexes: [], rejected: [] } }],
})

const UPSERT = {
  bodyLimit: BODY_BYTES_MAX,
  config: { access: 'manage', list: 'products' },
  schema: {
    operationId: 'upsertProducts',
    summary: 'Bring the catalog up to date',
    description:
      'Of each product the version with the newest `updated_at` stays, whatever the order of arrival; of two of the same time a deleted one, then the one with the larger JSON text. A version is the whole product: what it leaves out has no value any more. Each item is judged alone. Sending the same products again changes nothing.',
    tags: ['catalog'],
    headers: Headers,
    body: UpsertProductsRequest,
    querystring: z.strictObject({}),
    response: {
      200: Upserted,
      400: ErrorBody.describe('The body is not JSON, or not a list of 1 to 10,000 items; `details` names the fields.'),
      413: ErrorBody.describe('The body is over 16 MiB.'),
      503: ErrorBody.describe(
        'Outcome unknown: send the same products again. Or too much waits here already, and nothing was changed.',
      ),
    },
  },
} as const satisfies RouteShorthandOptions

const PRODUCT = {
  config: { access: 'read' },
  schema: {
    operationId: 'product',
    summary: 'A product of the catalog',
    description: 'As its newest version says, deleted ones too; fields without a value are absent.',
    tags: ['catalog'],
    params: GetProductRequest,
    querystring: z.strictObject({}),
    response: {
      200: GetProductResponse.describe('The product.'),
      404: ErrorBody.describe('The catalog never had the product.'),
    },
  },
} as const satisfies RouteShorthandOptions

export function catalogRoutes(deps: RouteDeps): RoutePlugin {
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.post('/api/v1/catalog/products', UPSERT, async (request) => {
      const data = await upsert(deps, request)
      return { data }
    })

    routes.get('/api/v1/catalog/products/:product_id', PRODUCT, async (request) => {
      const { product_id: productId } = request.params
      const data = await deps.lines.short.read(taskCallerOf(request), (db) => catalogProduct(db, productId))
      if (data === undefined) throw notFound(`the catalog never had product ${productId}`)
      return { data }
    })
  }
}

/** Writes the products by a durable call of their own. @throws DecidedError when the outcome is unknown. */
async function upsert(deps: RouteDeps, request: FastifyRequest) {
  const { ingress, recording, largeItems } = deps
  const key = keyOf(request)
  const { json } = await readItems(largeItems, request, 'products')
  const body = bodyOfItems([json], 'products')
  if (body.length > BODY_BYTES_MAX) throw new DecidedError('too_large', TOO_LARGE)
  const call = () => (key === undefined ? ingress.callWithJson(catalogApi, 'UpsertProducts', body) : callOnce(deps, key, body))
  try {
    return await recording.gate({ caller: callerIdOf(request), signal: hangUpOf(request), body }, call)
  } catch (error) {
    throw unknownOutcome(error, 'send the same products again', { tooLarge: TOO_LARGE })
  }
}

/** Calls once for a key. @throws DecidedError when the answer of the first call is not true any more. */
async function callOnce({ ingress, source }: RouteDeps, key: string, body: Buffer) {
  const options = { idempotencyKey: keyWithBody(key, body), signal: AbortSignal.timeout(ingress.deadlineMs) }
  const { invocationId, isNew } = await ingress.sendWithJson(catalogApi, 'UpsertProducts', body, options)
  const answer = await ingress.callWithJson(catalogApi, 'UpsertProducts', body, options)
  if (!isNew) await refuseFalseAnswer(source.primary, invocationId, body)
  return answer
}

/**
 * Restate answers a used key with its first answer and does not compare bodies. With the body's hash as a part of the key other products
 * under the same key are another call, and are not lost silently.
 */
function keyWithBody(key: string, body: Buffer): string {
  return `${key} ${createHash('sha256').update(body).digest('base64url')}`
}
