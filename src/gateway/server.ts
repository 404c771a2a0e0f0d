import { fastify, type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { boundHeaders, HEAD_LIMITS } from '../admission/request-head.ts'
import type { Database } from '../store/database/connection.ts'
import { catalogEntries as readCatalogEntries } from '../store/catalog/catalog-entry.ts'
import type { ItemsWorker } from '../workers/items-worker.ts'
import { requireAccess } from './access/access.ts'
import { type AccessBudgets, budgetsBy, createBudgets } from './access/budgets.ts'
import { senderIdOf } from './access/caller.ts'
import { createEventRate } from './access/event-rate.ts'
import { allowOrigins } from './access/cors.ts'
import { limitRates } from './access/rate-limit.ts'
import { createCatalogEntries } from './caching/catalog-entries.ts'
import { RANKED_SHARE } from '../store/recommendations/similar-products.ts'
import { createServedVersions } from '../store/similarity/served-versions.ts'
import { shareRunning } from './caching/share-running.ts'
import { createReadLines } from './caching/read-lines.ts'
import { formAnswers } from './http/answer-form.ts'
import { createBodyPace } from './http/body-pace.ts'
import { closeConnectionsAtEnd } from './http/closing.ts'
import { limitConnections } from './http/connections.ts'
import { bodyTurns, createLoopShare, shareLoop } from './http/loop-share.ts'
import { dropRests } from './http/early-answer.ts'
import { parseJsonBodies } from './http/json-body.ts'
import { linkPages } from './http/next-link.ts'
import { createUnknownPage } from './page/unknown-page.ts'
import { answerUnknownRoutes } from './http/not-found.ts'
import { observeEachRequest } from './http/observer.ts'
import { describeApi } from './http/openapi.ts'
import { boundPipelining } from './http/pipelining.ts'
import { answerErrors, problemOf, sendProblem } from './http/problem.ts'
import { logEachRequest, requestIdOf } from './http/request-log.ts'
import { createSendingCallers } from './http/sending-callers.ts'
import { secureHeaders } from './http/security-headers.ts'
import { traceRequests } from './http/tracing.ts'
import { answerUnreadable } from './http/unreadable.ts'
import { validatorCompiler } from './http/validator.ts'
import { createLargeItems } from './recording/large-items.ts'
import { showOwnWrites } from './standbys/own-writes.ts'
import { createReadSource } from './standbys/read-source.ts'
import type { Standbys } from './standbys/standbys.ts'
import { ROUTES, TAGS } from './routes/all.ts'
import type { RouteDeps } from './routes/deps.ts'

/** What the server needs: everything that routes use, and how callers are recognised. */
export interface GatewayDeps extends Omit<
  RouteDeps,
  'source' | 'lines' | 'largeItems' | 'eventRate' | 'budgets' | 'catalogEntries' | 'similarity'
> {
  /** Connections that cannot write, to the primary. */
  db: Database
  /** Standbys that reads may go to. */
  standbys?: Standbys | undefined
  /** What callers may do in a minute, counted in this process unless they are given. */
  budgets?: AccessBudgets
  /** The thread that judges large bodies. */
  itemsWorker: ItemsWorker
  /** Whether each request gets a span. */
  isTraced: boolean
  log: FastifyBaseLogger
}

/** An id of 200 characters with `account:` before it, each of up to 4 bytes, each byte as %XX. */
const PARAMETER_LENGTH_MAX = 208 * 4 * 3

/** An answer is shared for so long, because each one opens connections, and needs no key. */
const READINESS_MS_MAX = 1_000

/** For routes that say nothing else: those that take no items. */
const SMALL_BODY_BYTES_MAX = 64 * 1024

/** How long a request may take to arrive: 16 MiB at 0.6 MB/s. It bounds how long a slow sender holds a connection. */
const REQUEST_MS_MAX = 30_000

/** The HTTP server, not yet listening. */
export async function createGateway(deps: GatewayDeps): Promise<FastifyInstance> {
  const { access, observer, settings, budgets = budgetsBy(() => createBudgets()) } = deps
  const { isPublic } = settings
  const app = newServer(deps)
  const sending = createSendingCallers()
  const loopShare = createLoopShare(undefined, sending)
  const bodyPace = createBodyPace(sending)
  parseJsonBodies(app, {
    limits: settings.bodies,
    observer,
    pace: (request) => bodyPace.enter(senderIdOf(request), request.raw, 'read'),
    bodyTurn: bodyTurns(loopShare, senderIdOf),
    callerOf: senderIdOf,
  })
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(() => JSON.stringify)
  answerErrors(app)
  dropRests(app, bodyPace, senderIdOf)
  closeConnectionsAtEnd(app)
  limitConnections(app.server, settings.connections)
  logEachRequest(app)
  observeEachRequest(app, observer)
  if (deps.isTraced) traceRequests(app)
  // Keys that are read at the start stay good during a later outage of the database.
  await access.keys().catch(() => undefined)
  secureHeaders(app)
  await allowOrigins(app, { keys: access.keys, isPublic })
  requireAccess(app, { ...access, isPublic, observer })
  showOwnWrites(app, deps.standbys)
  shareLoop(app, loopShare, senderIdOf)
  await limitRates(app, { limits: settings.rateLimits, budgets: budgets.requests, observer })
  answerUnknownRoutes(app, createUnknownPage())
  linkPages(app)
  formAnswers(app)
  await describeApi(app, { isPublic, takesTokens: access.sellerOfToken !== undefined, tags: TAGS })

  const eventRate = createEventRate(settings.rateLimits, budgets.events)
  const largeItems = createLargeItems(app, { ...deps, waitMsMax: deps.ingress.deadlineMs })
  const source = createReadSource(deps.db, deps.standbys, observer.readFromStandby)
  const lines = createReadLines(source, settings)
  const catalogEntries = createCatalogEntries((productIds) => readCatalogEntries(source.shared, productIds))
  const similarity = createServedVersions({ db: source.shared, bytesMax: settings.similarityBytesMax * (1 - RANKED_SHARE) })
  const readiness = shareRunning(deps.readiness, READINESS_MS_MAX)
  for (const routes of ROUTES) {
    await app.register(routes({ ...deps, budgets, readiness, source, lines, largeItems, eventRate, catalogEntries, similarity }))
  }
  boundHeaders(app.server)
  boundPipelining(app.server, { isBehindProxy: settings.trustedProxies !== undefined })
  return app
}

function newServer({ log, settings }: GatewayDeps): FastifyInstance {
  return fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    genReqId: (request) => requestIdOf(request.headers['x-request-id']),
    bodyLimit: SMALL_BODY_BYTES_MAX,
    routerOptions: { maxParamLength: PARAMETER_LENGTH_MAX },
    clientErrorHandler: answerUnreadable,
    frameworkErrors: (error, _request, reply) => void sendProblem(reply, problemOf(error)),
    forceCloseConnections: 'idle',
    // A request on a connection that is still open is served; its answer closes the connection.
    return503OnClosing: false,
    requestTimeout: REQUEST_MS_MAX,
    http: HEAD_LIMITS,
    trustProxy: settings.trustedProxies ?? false,
  })
}
