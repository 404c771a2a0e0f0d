import { z } from 'zod'
import { Id } from './fields/id.ts'
import { NextCursor, pageCursor, pageLimit } from './fields/page.ts'
import { storableText } from './fields/text.ts'
import { wholeNumber } from './fields/whole-number.ts'

export const SCOPES = ['ingest', 'read', 'manage'] as const
export type Scope = (typeof SCOPES)[number]

export const KEY_NAME_CHARACTERS_MAX = 100
export const KEY_RATE_MAX = 10_000_000
const ORIGINS_MAX = 50
const ORIGIN_CHARACTERS_MAX = 300
/** Actors that are not keys: no key may have these names. */
export const NAMES_OF_NO_KEY = ['footfall', 'local', 'unknown']

export const CreateKeyRequest = z
  .strictObject({
    name: storableText(KEY_NAME_CHARACTERS_MAX)
      .refine((name) => name.trim() !== '' && !NAMES_OF_NO_KEY.includes(name), {
        error: 'must be the name of a user; audit entries use footfall, local and unknown for callers without a key',
      })
      .describe('The name of its user. The audit trail has it.'),
    scopes: z.array(z.enum(SCOPES)).min(1).max(SCOPES.length).describe('What it may do. A key gives no scope that it lacks.'),
    seller_id: Id.optional().describe('It reads the data of this seller, and nothing else.'),
    is_publishable: z.boolean().default(false).describe('For a web page: it can only send events, from pages of its origins.'),
    origins: z
      .array(storableText(ORIGIN_CHARACTERS_MAX))
      .max(ORIGINS_MAX)
      .optional()
      .describe('Of a publishable key: the origins of its pages, such as https://shop.example or https://*.shop.example.'),
    requests_per_minute: wholeNumber(1, KEY_RATE_MAX)
      .optional()
      .describe('At most that of the key that makes it, where that has a rate of its own.'),
  })
  .superRefine(({ scopes, seller_id: sellerId, is_publishable: isPublishable, origins = [] }, context) => {
    const wrong = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message })
    if (isPublishable && scopes.some((scope) => scope !== 'ingest')) wrong('scopes', 'a publishable key can only ingest')
    if (isPublishable && sellerId !== undefined) wrong('seller_id', 'a publishable key has no seller')
    if (isPublishable && origins.length === 0) wrong('origins', 'a publishable key needs the origin of its pages')
    if (!isPublishable && origins.length > 0) wrong('origins', 'only a publishable key has origins')
    if (sellerId !== undefined && scopes.some((scope) => scope !== 'read')) wrong('scopes', 'the key of a seller can only read')
  })
  .meta({ examples: [{ name: 'checkout service', scopes: ['ingest', 'read'] }] })
export type CreateKeyRequest = z.infer<typeof CreateKeyRequest>

export const Key = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  seller_id: z.string().nullable(),
  is_publishable: z.boolean(),
  origins: z.array(z.string()),
  requests_per_minute: z.int().nullable().describe('Null for the default.'),
  created_at: z.iso.datetime(),
  revoked_at: z.iso.datetime().nullable(),
  last_used_at: z.iso.datetime().nullable().describe('To the minute; null when it was never used.'),
})
export type Key = z.infer<typeof Key>

export const NewKey = Key.extend({ key: z.string().describe('The key itself. It is not kept, and cannot be shown again.') })
export type NewKey = z.infer<typeof NewKey>

const KEY_EXAMPLE: Key = {
  id: '3f1c9a7be042',
  name: 'checkout service',
  scopes: ['ingest', 'read'],
  seller_id: null,
  is_publishable: false,
  origins: [],
  requests_per_minute: null,
  created_at: '2026-03-01T12:00:00.000Z',
  revoked_at: null,
  last_used_at: '2026-03-01T12:04:00.000Z',
}

export const KeysRequest = z.strictObject({ limit: pageLimit(50, 'Keys of the page.'), cursor: pageCursor() })
export const KeysResponse = z
  .object({ data: z.array(Key), meta: z.object({ next_cursor: NextCursor }) })
  .meta({ examples: [{ data: [KEY_EXAMPLE], meta: { next_cursor: null } }] })
export type KeysResponse = z.infer<typeof KeysResponse>

export const KeyResponse = z.object({ data: Key }).meta({ examples: [{ data: KEY_EXAMPLE }] })
export const NewKeyResponse = z
  .object({ data: NewKey })
  .meta({ examples: [{ data: { ...KEY_EXAMPLE, last_used_at: null, key: `ff_3f1c9a7be042_${'0123456789abcdef'.repeat(4)}` } }] })

/** A browser that signed in. */
export const Session = z.object({
  id: z.uuid(),
  key_id: z.string().nullable().describe('The key that signed in; null for the token of a seller.'),
  key_name: z.string().nullable(),
  seller_id: z.string().nullable().describe('The seller that it is bound to.'),
  created_at: z.iso.datetime(),
  seen_at: z.iso.datetime().describe('To the minute.'),
  expires_at: z.iso.datetime().describe('When it ends unless it is used before.'),
  is_current: z.boolean().describe('Whether it is that of this request.'),
})
export type Session = z.infer<typeof Session>

const SESSION_EXAMPLE: Session = {
  id: '019cb2f8-9d00-7c3e-8f5a-5b0f2a6d9c11',
  key_id: '3f1c9a7be042',
  key_name: 'checkout service',
  seller_id: null,
  created_at: '2026-03-01T12:00:00.000Z',
  seen_at: '2026-03-01T12:04:00.000Z',
  expires_at: '2026-03-02T00:04:00.000Z',
  is_current: false,
}

export const SessionsRequest = z.strictObject({ limit: pageLimit(50, 'Sessions of the page.'), cursor: pageCursor() })
export const SessionsResponse = z
  .object({ data: z.array(Session), meta: z.object({ next_cursor: NextCursor }) })
  .meta({ examples: [{ data: [SESSION_EXAMPLE], meta: { next_cursor: null } }] })

export const EndedSessionResponse = z
  .object({ data: z.object({ id: z.uuid(), ended_at: z.iso.datetime() }) })
  .meta({ examples: [{ data: { id: SESSION_EXAMPLE.id, ended_at: '2026-03-01T12:05:00.000Z' } }] })
