import type { FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { invalidField, notFound } from '../../contract/decided-error.ts'
import { ErrorBody } from '../../contract/error.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { CreateKeyRequest, KeyResponse, KeysRequest, KeysResponse, NewKeyResponse } from '../../contract/key.ts'
import { hashOfSecret, newKeyText } from '../../store/access/api-key.ts'
import type { NewKeyRow } from '../../store/access/change.ts'
import { findKey, keyPositionOf, keysPage } from '../../store/access/key-list.ts'
import { taskCallerOf } from '../access/caller.ts'
import { originOf, originProblem } from '../access/origins.ts'
import type { Tag } from '../http/openapi.ts'
import { invalidCursor } from '../http/problem.ts'
import { createChangeAccess } from '../recording/change-access.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

export const KEYS_TAG: Tag = { name: 'keys', description: 'Who may call, and where people are signed in.' }

const KeysQuery = KeysRequest.extend({
  limit: wholeNumberOfText(1, 100).default(50).describe(KeysRequest.shape.limit.description!),
})
const KeyId = z.object({
  id: z
    .string()
    .regex(/^[0-9a-f]{12}$/, { error: 'must be 12 hexadecimal digits' })
    .meta({ examples: ['3f1c9a7be042'] })
    .describe('The id of the key, which is the middle of its text.'),
})
const config = { access: 'manage', isPersonal: true } as const
const tags = ['keys']
const querystring = z.strictObject({})

const LIST = {
  config,
  schema: {
    operationId: 'keys',
    summary: 'Keys',
    description: 'Every key, also revoked ones, the newest first. Secrets are not kept.',
    tags,
    querystring: KeysQuery,
    response: { 200: KeysResponse.describe('A page of keys.') },
  },
} as const satisfies RouteShorthandOptions

const CREATE = {
  config,
  schema: {
    operationId: 'createKey',
    summary: 'Make a key',
    description:
      'With at most the scopes of the key that makes it. As long as there is no key, this machine makes the first one; from then on every request needs one. Gateways know it within a second.',
    tags,
    body: CreateKeyRequest,
    querystring,
    response: {
      201: NewKeyResponse.describe('The key, with its text, which is shown this once.'),
      403: ErrorBody.describe('The key that makes it lacks one of the scopes, or was revoked.'),
      409: ErrorBody.describe('There are 10000 keys.'),
      503: ErrorBody.describe(
        'Outcome unknown: look at the list, because it may have been made. Revoke it then: its text is lost.',
      ),
    },
  },
} as const satisfies RouteShorthandOptions

const REVOKE = {
  config,
  schema: {
    operationId: 'revokeKey',
    summary: 'Revoke a key',
    description: 'For ever, and within a second. Its sessions end with it. Revoking it again changes nothing.',
    tags,
    params: KeyId,
    querystring,
    response: {
      200: KeyResponse.describe('The key, which is revoked.'),
      404: ErrorBody.describe('There is no key of this id.'),
      503: ErrorBody.describe('Outcome unknown: send the same again.'),
    },
  },
} as const satisfies RouteShorthandOptions

export function keyRoutes({ lines, ...deps }: RouteDeps): RoutePlugin {
  const changeAccess = createChangeAccess(deps)
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.get('/api/v1/keys', LIST, async (request) => {
      const { limit, cursor } = request.query
      const after = cursor === undefined ? undefined : keyPositionOf(cursor)
      if (cursor !== undefined && after === undefined) throw invalidCursor()
      return lines.short.read(taskCallerOf(request), (db) => keysPage(db, { limit, after }))
    })

    routes.post('/api/v1/keys', CREATE, async (request, reply) => {
      const { key, text } = newKeyOf(request, request.body)
      const { at } = await changeAccess(request, { change: 'create_key', key })
      const { key_id: id, secret_sha256: _hash, ...shown } = key
      const data = { id, ...shown, scopes: [...key.scopes], origins: [...key.origins], created_at: at }
      return reply.code(201).send({ data: { ...data, revoked_at: null, last_used_at: null, key: text } })
    })

    routes.delete('/api/v1/keys/:id', REVOKE, async (request) => {
      const { id } = request.params
      await changeAccess(request, { change: 'revoke_key', key_id: id })
      const data = await lines.short.read(taskCallerOf(request), (db) => findKey(db, id))
      if (data === undefined) throw notFound(`there is no key ${id}`)
      return { data }
    })
  }
}

/** The secret stays here: only its hash is sent on. */
function newKeyOf(request: FastifyRequest, asked: CreateKeyRequest): { key: NewKeyRow; text: string } {
  const { is_publishable: isPublishable, seller_id: sellerId = null } = asked
  const { keyId, secret, text } = newKeyText({ isPublishable })
  const rates = [asked.requests_per_minute, request.apiKey?.requestsPerMinute].filter((rate) => typeof rate === 'number')
  const key = {
    key_id: keyId,
    secret_sha256: hashOfSecret(secret),
    name: asked.name,
    scopes: [...new Set(asked.scopes)],
    is_publishable: isPublishable,
    origins: (asked.origins ?? []).map(checkedOrigin),
    seller_id: sellerId,
    requests_per_minute: rates.length === 0 ? null : Math.min(...rates),
  }
  return { key, text }
}

function checkedOrigin(text: string): string {
  const origin = originOf(text)
  if (origin === undefined) throw invalidField('origins', originProblem(text))
  return origin
}
