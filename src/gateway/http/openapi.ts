import swagger from '@fastify/swagger'
import type { FastifyInstance, FastifySchema } from 'fastify'
import { createJsonSchemaTransform } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { ErrorBody, ProblemBody } from '../../contract/error.ts'
import type { Scope } from '../../store/access/api-key.ts'
import { LSN_HEADER, MIN_LSN_HEADER } from '../standbys/own-writes.ts'
import { READ_PLACES } from '../standbys/read-places.ts'
import { errorAnswersOf } from './error-answers.ts'

type Access = Scope | 'any' | 'open'

const DESCRIPTION = `Footfall records what shoppers do with products, once each, and answers what is popular.

Every answer is \`{"data": …, "meta"?: …}\`, or \`{"error": {"code", "message", "details"?}}\`; with
\`accept: application/problem+json\` an error is a problem of RFC 9457. Unknown fields and query parameters are
refused. In a request, a field that is null is absent, and an id may be a whole number, which is read as its digits. A body may be compressed with gzip, but not a
signed one; its limits are those of the inflated body. A known address with another method is answered 405 with \`Allow\`, an unknown address 404. Each answer has an \`x-request-id\`:
yours if you send up to 100 letters, digits and \`_ . : -\`.

An answer of GET has an \`ETag\`, and is 304 without a body for a client that sends the same in \`If-None-Match\`; what is said of one
person has \`Cache-Control: no-store\` instead. From 1,000 bytes on it is compressed with brotli or gzip where \`Accept-Encoding\` takes
that. A page of a list that goes on has \`Link: <…>; rel="next"\`, relative to its own address.

Where the gateway reads from standbys of PostgreSQL, an answer to a request that wrote has \`${LSN_HEADER}\`. A read with the same value in
\`${MIN_LSN_HEADER}\` shows what was written before it.

As long as no key was ever made, only this machine may call, without a key. From the first key on every request needs a key.`

/** A group of operations; declared in the file with the routes of its noun. */
export interface Tag {
  name: string
  description: string
}

const SECURITY_SCHEMES = {
  key: { type: 'http', scheme: 'bearer', description: 'A key of `./footfall key create`.' },
  management_key: { type: 'apiKey', in: 'header', name: 'x-management-key', description: 'The same key in a header of its own.' },
  publishable_key: {
    type: 'apiKey',
    in: 'query',
    name: 'key',
    description: 'A publishable key, for the beacon of a page. A secret key in an address is refused.',
  },
} as const
const SELLER_TOKEN = {
  type: 'http',
  scheme: 'bearer',
  bearerFormat: 'JWT',
  description: 'A token of the configured issuer, which names a seller.',
} as const

/** Answers stay open to new fields, and the bounds of a safe integer are noise in the document. */
const override: NonNullable<z.core.ToJSONSchemaParams['override']> = ({ zodSchema, jsonSchema }) => {
  const { def } = zodSchema._zod
  if (def.type === 'object' && def.catchall === undefined) delete jsonSchema.additionalProperties
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
}

const toJsonSchemas = createJsonSchemaTransform({ zodToJsonConfig: { override } })

interface Callers {
  isPublic: boolean
  /** Whether tokens of sellers are used. */
  takesTokens: boolean
}

/** What a route adds. */
interface RouteCallers extends Callers {
  needsSecretKey: boolean
}

interface Description extends Callers {
  tags: readonly Tag[]
}

/** Makes /openapi.json of the routes: requests and answers follow from their schemas, security from their `access`. */
export async function describeApi(app: FastifyInstance, { tags, ...callers }: Description): Promise<void> {
  const securitySchemes = { ...SECURITY_SCHEMES, ...(callers.takesTokens && { seller_token: SELLER_TOKEN }) }
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Footfall',
        version: '1',
        summary: 'Shopper interactions in, exactly-once popularity out.',
        description: DESCRIPTION,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/', description: 'This gateway' }],
      tags: [...tags],
      components: { securitySchemes, schemas: { Error: schemaOf(ErrorBody), Problem: schemaOf(ProblemBody) } },
    },
    transform: (document) => {
      const { schema, url } = toJsonSchemas(document)
      if (schema === undefined || schema.hide) return { schema: { hide: true }, url }
      const { access = 'open', ofSeller = false, needsSecretKey = false } = document.route.config ?? {}
      const { isPublic, takesTokens } = callers
      return { schema: described(schema, access, { isPublic, takesTokens: takesTokens && ofSeller, needsSecretKey }), url }
    },
  })
}

/** Adds everything that follows from the access of a route, so that no route can forget it. */
function described(schema: FastifySchema, access: Access, callers: RouteCallers): FastifySchema {
  const key = callers.needsSecretKey ? 'a secret key' : 'a key'
  const scope = access === 'any' ? 'any scope' : `the scope \`${access}\``
  const needed = access === 'open' ? 'Needs no key.' : `Needs ${key} with ${scope}, once a key was made.`
  const orToken = callers.takesTokens ? ' A token that names a seller is enough for the data of that seller.' : ''
  const headers = READ_PLACES[schema.operationId ?? ''] === 'standby' && withMinLsn(schema.headers as HeadersSchema | undefined)
  return {
    ...schema,
    ...(headers && { headers }),
    description: `${schema.description ?? ''}\n\n${needed}${orToken}`.trim(),
    security: securityOf(access, callers),
    response: errorAnswersOf(schema.response as Record<string, { description?: string }>, access !== 'open'),
  }
}

interface HeadersSchema {
  properties?: Record<string, unknown>
}

function withMinLsn(headers: HeadersSchema = {}): HeadersSchema {
  const description = `The \`${LSN_HEADER}\` of an answer: the read shows everything that was written before it. It is ignored where nothing is read from standbys.`
  const minLsn = { type: 'string', pattern: '^[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}$', description, examples: ['0/16B3748'] }
  return { type: 'object', ...headers, properties: { ...headers.properties, [MIN_LSN_HEADER]: minLsn } } as HeadersSchema
}

/** Each alternative is enough. The last one, without a key, ends with the first key, and is missing if other machines can reach the gateway. */
function securityOf(access: Access, { isPublic, takesTokens, needsSecretKey }: RouteCallers): Record<string, string[]>[] {
  if (access === 'open') return []
  const scopes = access === 'any' ? [] : [access]
  const ways: Record<string, string[]>[] = [{ key: scopes }, { management_key: scopes }]
  if (access === 'ingest' && !needsSecretKey) ways.push({ publishable_key: [] })
  if (takesTokens) ways.push({ seller_token: [] })
  if (!isPublic) ways.push({})
  return ways
}

function schemaOf(error: z.ZodType) {
  const { $schema: _dialect, ...schema } = z.toJSONSchema(error, { io: 'output', override })
  return schema as Record<string, unknown>
}
