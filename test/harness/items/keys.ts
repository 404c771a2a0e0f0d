import { createApiKey, type NewApiKey, revokeApiKey } from '../../../src/store/access/api-key.ts'
import type { Database } from '../../../src/store/database/connection.ts'

export const INGEST = '/api/v1/analytic/interaction'
export const READ = '/api/v1/analytic/popularity/top'
export const MANAGE = '/api/v1/verifications'
/** The origin of the pages that the publishable key is for. */
export const SHOP = 'https://shop.example'

/** The texts of a key of each kind. */
export type TestKeys = Record<'ingest' | 'read' | 'manage' | 'shop' | 'seller' | 'revoked', string>

export async function makeKeys(db: Database): Promise<TestKeys> {
  const revoked = await makeKey(db)
  await revokeApiKey(db, revoked.keyId)
  return {
    ingest: (await makeKey(db, { scopes: ['ingest'] })).text,
    read: (await makeKey(db, { scopes: ['read'] })).text,
    manage: (await makeKey(db, { scopes: ['manage'] })).text,
    shop: (await makeKey(db, { isPublishable: true, origins: [SHOP] })).text,
    seller: (await makeKey(db, { scopes: ['ingest', 'read', 'manage'], sellerId: 'seller-1' })).text,
    revoked: revoked.text,
  }
}

/** A secret key that may ingest, with other values where given. */
export function makeKey(db: Database, changes: Partial<NewApiKey> = {}): Promise<{ keyId: string; text: string }> {
  const key = { name: 'test', scopes: ['ingest'] as const, isPublishable: false, origins: [], sellerId: null }
  return createApiKey(db, { ...key, requestsPerMinute: null, ...changes })
}

export interface Answer {
  status: number
  headers: Headers
  json: { data?: { accepted: number }; error?: { code: string; message: string } }
}

export interface Asked {
  /** A batch is posted to the default path, the ingest; every other path is read. */
  path?: string
  key?: string
  headers?: Record<string, string>
  body?: string | undefined
  method?: string
}

export const events = (product = 'lamp') =>
  JSON.stringify({ interactions: [{ session_id: 's', event_type: 'view', ref_type: 'Product', ref_id: product }] })

/** Sends a gateway the request of a caller with this key. */
export async function ask(url: string, { path = INGEST, key, headers = {}, body, method }: Asked): Promise<Answer> {
  const isIngest = (path.startsWith(INGEST) || body !== undefined) && method === undefined
  const answer = await fetch(url + path, {
    method: method ?? (isIngest ? 'POST' : 'GET'),
    headers: {
      ...(isIngest ? { 'content-type': 'application/json' } : {}),
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...headers,
    },
    body: isIngest ? (body ?? events()) : null,
  })
  const text = await answer.text()
  return { status: answer.status, headers: answer.headers, json: text === '' ? {} : (JSON.parse(text) as Answer['json']) }
}
