import { DecidedError } from '../contract/decided-error.ts'
import { isUtf8 } from 'node:buffer'
import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { fastify, type FastifyBaseLogger, type FastifyInstance, type FastifyRequest, LogController } from 'fastify'
import type { ErrorBody } from '../contract/error.ts'
import { BODY_BYTES_MAX } from '../contract/interaction.ts'
import type { ScheduleState } from '../contract/schedule.ts'
import type { Privacy } from '../admission/privacy.ts'
import { validatorCompiler } from './http/validator.ts'
import { requireAccess } from './access/access.ts'
import { auditRoutes } from './routes/audit.ts'
import { allowOrigins, secureHeaders } from './access/cors.ts'
import { createCallGate } from './recording/call-gate.ts'
import { catalogRoutes } from './routes/catalog.ts'
import { docsRoutes } from './routes/docs.ts'
import type { GroupCommit } from './recording/group-commit.ts'
import { interactionRoutes } from './routes/interactions.ts'
import type { Keys } from './access/key-ring.ts'
import { answerUnknownRoutes } from './http/not-found.ts'
import type { GatewayObserver } from './http/observer.ts'
import { describeApi } from './http/openapi.ts'
import { type PaymentDeps, paymentRoutes } from './routes/payments.ts'
import { popularRoutes } from './routes/popular.ts'
import { popularityRoutes } from './routes/popularity.ts'
import { NOT_JSON, problemOf, sendProblem } from './http/problem.ts'
import { processRoutes, type Readiness } from './routes/process.ts'
import type { WriteProducts } from './recording/product-writer.ts'
import { limitRates, type RateLimits } from './access/rate-limit.ts'
import type { RecordingWays } from './recording/record-request.ts'
import { recomputeRoutes } from './routes/recomputations.ts'
import type { Runs } from '../ingress/recompute-runs-client.ts'
import { rejectedRoutes } from './routes/rejected.ts'
import { reportRoutes } from './routes/reports.ts'
import { scheduleRoutes } from './routes/schedules.ts'
import { searchRoutes } from './routes/search.ts'
import { sellerRoutes } from './routes/sellers.ts'
import type { SellerOfToken } from './access/seller-tokens.ts'
import { shareRunning } from './caching/share-running.ts'
import { traceRequests } from './http/tracing.ts'
import type { Database } from '../store/database/connection.ts'

/** What the routes receive. The ways that it has itself are those of interactions. */
export interface GatewayDeps extends RecordingWays {
  /** A connection that cannot write. */
  db: Database
  writeProducts: WriteProducts
  searches: RecordingWays
  analyticsEvents: GroupCommit
  payments: PaymentDeps
  keys: () => Promise<Keys>
  /** Undefined when tokens of sellers are not used. */
  sellerOfToken: SellerOfToken | undefined
  readiness: () => Promise<Readiness>
  /** Recomputations. */
  runs: Runs
  /** Asks Restate. */
  schedules: () => Promise<ScheduleState[]>
  observer: GatewayObserver
  /** The metrics of this process, as text for Prometheus. */
  metrics: () => Promise<string>
  /** Whether each request gets a span. */
  isTraced: boolean
  log: FastifyBaseLogger
  settings: GatewaySettings
}

export interface GatewaySettings {
  /** Whether others than this machine can reach the gateway: then nothing is allowed without a key. */
  isPublic: boolean
  /** Proxies whose X-Forwarded-For is believed: addresses and networks, with commas. */
  trustedProxies: string | undefined
  rateLimits: RateLimits
  privacy: Privacy
  /** The age that an answer of the top list may have; 0 to ask the database each time. */
  topCacheMs: number
  /** The same of the lists of popular products. */
  popularCacheMs: number
  /** Lists of popular products that add up hours, at once. */
  addedUpAtOnce: number
  /** Seller dashboards and reports that are read at once. */
  reportsAtOnce: number
}

/** Dashboards and reports that wait for their turn. */
const REPORTS_WAITING_MAX = 1_000

/** An id of 200 characters, each of up to 4 bytes, each byte as %XX. */
const PARAMETER_LENGTH_MAX = 200 * 4 * 3

/** The address of a list of 50 categories, each id as long as it may be, and 16 KiB as Node has it for the rest. */
const HEADERS_BYTES_MAX = 50 * (PARAMETER_LENGTH_MAX + '&category_ids='.length) + 16 * 1024

/** How long a request may take to arrive: 16 MiB at 0.6 MB/s. One that trickles holds a connection no longer. */
const REQUEST_MS_MAX = 30_000
const HEADERS_MS_MAX = 15_000
const REQUEST_CHECK_MS = 5_000

/** Asking whether everything is there opens connections; anybody may ask. */
const READINESS_MS_MAX = 1_000

/** The HTTP server, not yet listening. */
export async function createGateway(deps: GatewayDeps): Promise<FastifyInstance> {
  const { db, groupCommit, groupSubmit, ownCalls, keys, sellerOfToken, observer, settings } = deps
  const app: FastifyInstance = fastify({
    loggerInstance: deps.log,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    genReqId: (request) => requestIdOf(request.headers['x-request-id']),
    bodyLimit: BODY_BYTES_MAX,
    routerOptions: { maxParamLength: PARAMETER_LENGTH_MAX },
    clientErrorHandler: answerUnreadable,
    frameworkErrors: (error, _request, reply) => void sendProblem(reply, problemOf(error)),
    forceCloseConnections: 'idle',
    // What comes on a connection that is not closed yet is served; the answer closes it.
    return503OnClosing: false,
    requestTimeout: REQUEST_MS_MAX,
    // A limit of the headers above that of the request would be taken for it, and the other way round.
    http: { connectionsCheckingInterval: REQUEST_CHECK_MS, headersTimeout: HEADERS_MS_MAX, maxHeaderSize: HEADERS_BYTES_MAX },
    trustProxy: settings.trustedProxies ?? false,
  })

  // What else a caller expects than 100-continue is not ours to refuse.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
  parseJsonBodies(app)
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(() => JSON.stringify)
  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error, request.routeOptions.bodyLimit)
    request.failure = problem.cause
    return sendProblem(reply, problem)
  })
  closeConnectionsAtEnd(app)
  logEachRequest(app)
  observeEachRequest(app, observer)
  if (deps.isTraced) traceRequests(app)
  // Known from the start, an outage of the database later does not keep anybody out.
  await keys().catch(() => undefined)
  secureHeaders(app)
  await allowOrigins(app, { keys, isPublic: settings.isPublic })
  requireAccess(app, { keys, sellerOfToken, isPublic: settings.isPublic, observer })
  await limitRates(app, { limits: settings.rateLimits, observer })
  answerUnknownRoutes(app)

  await describeApi(app, { isPublic: settings.isPublic, takesTokens: sellerOfToken !== undefined })
  const interactions: RecordingWays = { groupCommit, groupSubmit, ownCalls }
  const { privacy } = settings
  await app.register(interactionRoutes({ ways: interactions, privacy, observer }))
  await app.register(searchRoutes({ db, searches: deps.searches, interactions, privacy, observer }))
  await app.register(popularityRoutes({ db, topCacheMs: settings.topCacheMs }))
  await app.register(popularRoutes({ db, cacheMs: settings.popularCacheMs, addedUpAtOnce: settings.addedUpAtOnce }))
  const gate = createCallGate({
    callsMax: settings.reportsAtOnce,
    waitingMax: REPORTS_WAITING_MAX,
    bytesMax: Number.POSITIVE_INFINITY,
    onFull: () => undefined,
    message: 'too many dashboards and reports wait here already; ask again',
  })
  await app.register(sellerRoutes({ db, gate }))
  await app.register(rejectedRoutes(deps))
  await app.register(catalogRoutes(deps))
  await app.register(paymentRoutes(deps.payments))
  const { analyticsEvents } = deps
  await app.register(reportRoutes({ db, analyticsEvents, observer, gate }))
  await app.register(auditRoutes({ db }))
  await app.register(recomputeRoutes(deps))
  await app.register(scheduleRoutes(deps))
  await app.register(processRoutes({ ...deps, readiness: shareRunning(deps.readiness, READINESS_MS_MAX) }))
  await docsRoutes(app)
  return app
}

/** Bodies are JSON. A beacon of a page can only say that it is text, so with a publishable key or without keys it may. */
function parseJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    ['application/json', 'text/plain'],
    { parseAs: 'buffer' },
    async (request: FastifyRequest, body: Buffer) => {
      if (request.headers['content-type']?.startsWith('text/') && request.apiKey?.isPublishable === false)
        throw new DecidedError('invalid_request', NOT_JSON)
      if ((request.headers['content-encoding'] ?? 'identity') !== 'identity') {
        throw new DecidedError('invalid_request', 'compressed bodies are not read; send it without content-encoding')
      }
      const { checkSignature } = request.routeOptions.config
      await checkSignature?.(request, body)
      request.isSigned = checkSignature !== undefined
      return parseJson(body)
    },
  )
}

/**
 * JSON.parse and not Fastify's parser: a key named __proto__ is refused as the unknown field that it is, and not with its
 * whole request. Bytes that are no UTF-8 would be read as other ids than were sent.
 */
function parseJson(body: Buffer): unknown {
  if (!isUtf8(body)) throw new DecidedError('invalid_request', 'the body is not UTF-8')
  try {
    return JSON.parse(body.toString())
  } catch (error) {
    throw new DecidedError('invalid_request', `the body is not JSON: ${(error as Error).message}`)
  }
}

const UNREADABLE: Record<string, string> = {
  HPE_HEADER_OVERFLOW: 'the headers are too large',
  ERR_HTTP_REQUEST_TIMEOUT: 'the request took too long to arrive',
}

/** The request of a connection that was answered before all of it was there. */
const answeredEarly = new WeakMap<Socket, IncomingMessage>()

/** What is no HTTP gets an answer in the contract's shape too, and one only. */
function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  const message = UNREADABLE[error.code ?? ''] ?? 'this is not HTTP'
  const body = JSON.stringify({ error: { code: 'invalid_request', message } } satisfies ErrorBody)
  const head = `HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n`
  const isAnswered = answeredEarly.get(socket)?.complete === false
  if (socket.writable && !isAnswered) socket.end(head + body)
  else socket.destroy()
}

declare module 'fastify' {
  interface FastifyRequest {
    /** What an answer of 500 or 503 hides; it goes into the request's log line. */
    failure?: unknown
  }
}

/** Fastify closes what is idle when it stops; a connection whose request is then being answered would keep it waiting. */
function closeConnectionsAtEnd(app: FastifyInstance): void {
  let isClosing = false
  app.addHook('preClose', (done) => {
    isClosing = true
    done()
  })
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (isClosing) reply.header('connection', 'close')
    done()
  })
}

/**
 * One line per request. Those that went well are for debugging: there are thousands a second, and the metrics count them.
 * The query is left out, because a publishable key may be in it. The caller gets the line's id.
 */
function logEachRequest(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id)
    done()
  })
  app.addHook('onResponse', async (request, reply) => {
    if (!request.raw.complete) answeredEarly.set(request.raw.socket, request.raw)
    const { statusCode: status } = reply
    const path = request.url.split('?')[0]
    const line = { method: request.method, path, status, ms: Math.round(reply.elapsedTime) }
    const fields = request.failure === undefined ? line : { ...line, err: request.failure }
    request.log[levelOf(status)](fields, 'request')
  })
}

function levelOf(status: number): 'debug' | 'info' | 'warn' | 'error' {
  if (status === 500) return 'error'
  if (status === 503) return 'warn'
  return status >= 400 ? 'info' : 'debug'
}

/** By the route's pattern: an address has ids, and there is no end of them. */
function observeEachRequest(app: FastifyInstance, observer: GatewayObserver): void {
  app.addHook('onResponse', async (request, reply) => {
    const { method, routeOptions } = request
    const seconds = reply.elapsedTime / 1_000
    observer.answered({ method, route: routeOptions.url ?? 'unknown', status: reply.statusCode, seconds })
  })
}

/** The caller's request id when it is a plain one, so that its log and ours can be joined. */
function requestIdOf(header: string | string[] | undefined): string {
  return typeof header === 'string' && /^[\w.:-]{1,100}$/.test(header) ? header : randomUUID()
}
