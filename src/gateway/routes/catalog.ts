import { DecidedError } from '../../contract/decided-error.ts'
import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { ErrorBody } from '../../contract/error.ts'
import { GetProductRequest, GetProductResponse, UpsertProductsRequest, UpsertProductsResponse } from '../../contract/product.ts'
import { catalogProduct } from '../../store/catalog/catalog-product.ts'
import type { Database } from '../../store/database/connection.ts'
import { IdempotencyKey, keyOf } from '../http/idempotency-key.ts'
import { isOutage } from '../../ingress/outage.ts'
import { isTooLarge } from '../../ingress/refusal.ts'

import type { WriteProducts } from '../recording/product-writer.ts'
import { toWritable } from '../../contract/json.ts'

const Headers = z.object({
  'idempotency-key': IdempotencyKey.describe(
    'A text of yours, such as `stock-2026-03-01`. The same key and body get the first answer again, for an hour.',
  ),
})

const Upserted = z.object({ data: UpsertProductsResponse }).meta({
  description: 'What became of each product, also when every one was refused.',
  examples: [{ data: { accepted: 1, duplicates: 0, duplicate_indexes: [], rejected: [] } }],
})

export function catalogRoutes(deps: { db: Database; writeProducts: WriteProducts }) {
  return async (app: FastifyInstance) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.post(
      '/api/v1/catalog/products',
      {
        config: { access: 'manage' },
        schema: {
          operationId: 'upsertProducts',
          summary: 'Bring the catalogue up to date',
          description:
            'Of each product the version with the newest `updated_at` stays, whatever the order of arrival; of two of the same time the one with the larger JSON text. A version is the whole product: what it leaves out has no value any more. Each item is judged alone. Sending the same products again changes nothing.',
          tags: ['catalogue'],
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
      },
      async (request) => {
        const products = request.body.products.map(toWritable)
        const data = await deps.writeProducts(products, keyOf(request)).catch((error: unknown) => {
          throw problemOfWriting(error)
        })
        return { data }
      },
    )

    routes.get(
      '/api/v1/catalog/products/:product_id',
      {
        config: { access: 'read' },
        schema: {
          operationId: 'product',
          summary: 'A product of the catalogue',
          description: 'As its newest version says, deleted ones too; fields without a value are absent.',
          tags: ['catalogue'],
          params: GetProductRequest,
          querystring: z.strictObject({}),
          response: {
            200: GetProductResponse.describe('The product.'),
            404: ErrorBody.describe('The catalogue never had the product.'),
          },
        },
      },
      async ({ params: { product_id: productId } }) => {
        const data = await catalogProduct(deps.db, productId)
        if (data === undefined) throw new DecidedError('not_found', `the catalogue never had product ${productId}`)
        return { data }
      },
    )
  }
}

/** What the caller is told when nobody knows whether the catalogue has the products. */
function problemOfWriting(error: unknown): unknown {
  if (isTooLarge(error)) return new DecidedError('too_large', 'the body is over 16 MiB')
  if (!isOutage(error)) return error
  return new DecidedError('unavailable', 'outcome unknown, send the same products again', { cause: error })
}
