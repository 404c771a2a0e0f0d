import { isUtf8 } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import swagger from '@fastify/swagger'
import { fastify, type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { jsonSchemaTransform, validatorCompiler } from 'fastify-type-provider-zod'
import type { ErrorBody } from '../contract/error.ts'
import { BODY_BYTES_MAX } from '../contract/interaction.ts'
import { interactionRoutes, type RecordInteractions } from './interaction-routes.ts'
import { requireLoopback } from './loopback.ts'
import { popularityRoutes } from './popularity-routes.ts'
import { Problem, problemOf, sendProblem } from './problem.ts'
import { processRoutes, type Readiness } from './process-routes.ts'
import { rejectedRoutes } from './rejected-routes.ts'
import type { Store } from '../store/database.ts'

/** What the routes receive. */
export interface GatewayDeps {
  /** A connection that cannot write. */
  db: Store
  record: RecordInteractions
  readiness: () => Promise<Readiness>
  log: FastifyBaseLogger
}

/** An id of 200 characters, each of up to 4 bytes, each byte as %XX. */
const PARAMETER_LENGTH_MAX = 200 * 4 * 3

/** The HTTP server, not yet listening. */
export async function createGateway(deps: GatewayDeps): Promise<FastifyInstance> {
  const app: FastifyInstance = fastify({
    loggerInstance: deps.log,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    genReqId: (request) => requestIdOf(request.headers['x-request-id']),
    bodyLimit: BODY_BYTES_MAX,
    routerOptions: { maxParamLength: PARAMETER_LENGTH_MAX },
    clientErrorHandler: answerUnreadable,
    frameworkErrors: (error, _request, reply) => void sendProblem(reply, problemOf(error)),
    forceCloseConnections: 'idle',
  })

  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (_request: unknown, body: Buffer) => parseJson(body))
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(() => JSON.stringify)
  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error)
    request.failure = problem.cause
    return sendProblem(reply, problem)
  })
  app.setNotFoundHandler((request, reply) =>
    sendProblem(reply, new Problem('not_found', `there is no ${request.method} ${request.url.split('?')[0]}`)),
  )
  logEachRequest(app)
  requireLoopback(app)

  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Footfall', version: '1', description: 'Shopper interactions in, popularity out.' },
    },
    transform: jsonSchemaTransform,
  })
  await app.register(interactionRoutes(deps))
  await app.register(popularityRoutes(deps))
  await app.register(rejectedRoutes(deps))
  await app.register(processRoutes(deps))
  return app
}

/**
 * JSON.parse and not Fastify's parser: a key named __proto__ is refused as the unknown field that it is, and not with its
 * whole request. Bytes that are no UTF-8 would be read as other ids than were sent.
 */
function parseJson(body: Buffer): unknown {
  if (!isUtf8(body)) throw new Problem('invalid_request', 'the body is not UTF-8')
  try {
    return JSON.parse(body.toString())
  } catch (error) {
    throw new Problem('invalid_request', `the body is not JSON: ${(error as Error).message}`)
  }
}

/** What is no HTTP gets an answer in the contract's shape too. */
function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  const message = error.code === 'HPE_HEADER_OVERFLOW' ? 'the headers are too large' : 'this is not HTTP'
  const body = JSON.stringify({ error: { code: 'invalid_request', message } } satisfies ErrorBody)
  const head = `HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n`
  if (socket.writable) socket.end(head + body)
  else socket.destroy()
}

declare module 'fastify' {
  interface FastifyRequest {
    /** What an answer of 500 or 503 hides; it goes into the request's log line. */
    failure?: unknown
  }
}

/** One line per request, whatever became of it. */
function logEachRequest(app: FastifyInstance): void {
  app.addHook('onResponse', async (request, reply) => {
    const line = { method: request.method, url: request.url, status: reply.statusCode, ms: Math.round(reply.elapsedTime) }
    const level = reply.statusCode === 500 ? 'error' : reply.statusCode === 503 ? 'warn' : 'info'
    request.log[level](request.failure === undefined ? line : { ...line, err: request.failure }, 'request')
  })
}

/** The caller's request id when it is a plain one, so that its log and ours can be joined. */
function requestIdOf(header: string | string[] | undefined): string {
  return typeof header === 'string' && /^[\w.:-]{1,100}$/.test(header) ? header : randomUUID()
}
