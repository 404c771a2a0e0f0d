import { DecidedError } from '../../contract/decided-error.ts'
import { createHash, randomUUID } from 'node:crypto'
import * as clients from '@restatedev/restate-sdk-clients'
import { BODY_BYTES_MAX } from '../../contract/interaction.ts'
import type { UpsertProductsResponse } from '../../contract/product.ts'
import { catalogApi } from '../../contract/services.ts'
import type { CallGate } from './call-gate.ts'
import { JSON_INPUT } from '../../ingress/json-input.ts'

import { traceHeaders } from '../../ingress/trace-headers.ts'

/** Brings the catalogue up to date by a durable call of its own; `key` is the caller's idempotency key, if it has one. */
export type WriteProducts = (products: readonly unknown[], key: string | undefined) => Promise<UpsertProductsResponse>

export interface ProductWriterOptions {
  ingressUrl: string
  gate: CallGate
  /** How long an answer is waited for, retries included. */
  deadlineMs?: number
}

const WRITE_MS_MAX = 10_000

/** The client's own retries are safe: all carry the same idempotency key, and Restate runs the call once. */
export function createProductWriter({ ingressUrl, gate, deadlineMs = WRITE_MS_MAX }: ProductWriterOptions): WriteProducts {
  const catalog = clients.connect({ url: ingressUrl, retry: true }).client(catalogApi)
  return async (products, key) => {
    const body = Buffer.from(JSON.stringify({ products }))
    if (body.length > BODY_BYTES_MAX) throw new DecidedError('too_large', 'the body is over 16 MiB')
    return gate(body.length, () =>
      catalog.UpsertProducts(
        body as never,
        clients.rpc.opts({
          idempotencyKey: idempotencyKeyOf(body, key),
          signal: AbortSignal.timeout(deadlineMs),
          headers: traceHeaders(),
          input: JSON_INPUT,
        }),
      ),
    )
  }
}

/**
 * Restate gives a used key its first answer without looking at the body. The body is part of the key, so that the same key with
 * other products is another call: nothing is lost in silence.
 */
function idempotencyKeyOf(body: Buffer, key: string | undefined): string {
  return key === undefined ? randomUUID() : `${key} ${createHash('sha256').update(body).digest('base64url')}`
}
