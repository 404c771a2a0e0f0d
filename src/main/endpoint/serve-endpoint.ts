import { createServer, type ServerHttp2Session } from 'node:http2'
import { createEndpointHandler, type HooksProvider, type LoggerTransport } from '@restatedev/restate-sdk'
import type { Logger } from 'pino'
import { access } from '../../../services/access.ts'
import { alert } from '../../../services/alert.ts'
import { alertDelivery } from '../../../services/alert-delivery.ts'
import { analytic } from '../../../services/analytic.ts'
import { catalog } from '../../../services/catalog.ts'
import { erasure } from '../../../services/erasure.ts'
import { erasureLane } from '../../../services/erasure-lane.ts'
import type { Deps } from '../../../services/handler/deps.ts'
import { mergeLane } from '../../../services/merge-lane.ts'
import { popularity } from '../../../services/popularity.ts'
import { recorder } from '../../../services/recorder.ts'
import { recorderRoom } from '../../../services/recorder-room.ts'
import { recomputeRun } from '../../../services/recompute-run.ts'
import { replayRun } from '../../../services/replay-run.ts'
import { reportWindow } from '../../../services/report-window.ts'
import { schedule } from '../../../services/schedule.ts'
import { shopper } from '../../../services/shopper.ts'
import { similarityRun } from '../../../services/similarity-run.ts'
import { setAside } from '../../../services/set-aside.ts'
import { task } from '../../../services/task.ts'
import { verificationRun } from '../../../services/verification-run.ts'
import type { SERVICE_APIS } from '../../contract/services.ts'
import { JOURNAL_MINUTES, RELEASE } from '../release/release.ts'

type ServiceName = (typeof SERVICE_APIS)[number]['name']

/** Does not compile while a service of the contract has no implementation here, or another service's. */
export const SERVICES = {
  Analytic: analytic,
  Popularity: popularity,
  Catalog: catalog,
  Shopper: shopper,
  MergeLane: mergeLane,
  Recorder: recorder,
  SetAside: setAside,
  RecorderRoom: recorderRoom,
  RecomputeRun: recomputeRun,
  ReportWindow: reportWindow,
  SimilarityRun: similarityRun,
  VerificationRun: verificationRun,
  ReplayRun: replayRun,
  Erasure: erasure,
  ErasureLane: erasureLane,
  Alert: alert,
  AlertDelivery: alertDelivery,
  Access: access,
  Schedule: schedule,
  Task: task,
} satisfies { [Name in ServiceName]: (deps: Deps) => { name: Name } }

export interface EndpointOptions {
  host: string
  port: number
  log: Logger
  /** Public keys, as `publickeyv1_…`, of the Restates that may call it; every caller may when there are none. */
  identityKeys?: string[]
  /** Name of the release in Restate's answers about its services. */
  release?: string
  /** Called with each error that the log has. */
  onError?: (error: unknown) => void
  /** Wrapped around every attempt and every step; the first hook is the outermost. */
  hooks?: HooksProvider[]
}

export interface Endpoint {
  /** Accepts no new calls, waits up to `msMax` for the running ones, and ends. Restate retries the rest on another process. */
  drain: (msMax: number) => Promise<void>
}

/** Serves the services to Restate over HTTP/2. */
export async function serveEndpoint(deps: Deps, options: EndpointOptions): Promise<Endpoint> {
  const { identityKeys = [], hooks = [], release = 'unnamed' } = options
  const metadata = { [RELEASE]: release, [JOURNAL_MINUTES]: String(deps.journalMinutes) }
  const handler = createEndpointHandler({
    services: Object.values(SERVICES).map((service) => ({ ...service(deps), metadata })),
    defaultServiceOptions: { hooks },
    logger: toPino(options.log, options.onError),
    ...(identityKeys.length > 0 && { identityKeys }),
  })
  const server = createServer(handler)
  const sessions = new Set<ServerHttp2Session>()
  let isDraining = false
  server.on('session', (session) => {
    sessions.add(session)
    if (isDraining) session.close()
    session.once('close', () => sessions.delete(session))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, resolve)
  })
  return {
    drain: async (msMax) => {
      isDraining = true
      server.close()
      const timer = setTimeout(() => {
        for (const session of sessions) session.destroy()
      }, msMax)
      const closed = [...sessions].map((session) => new Promise((resolve) => session.once('close', resolve)))
      // Sends GOAWAY: Restate makes new calls on a new connection, to another process.
      for (const session of sessions) session.close()
      await Promise.all(closed)
      clearTimeout(timer)
    },
  }
}

/**
 * Writes Restate's log lines with fields instead of sentences, and drops the lines that a handler repeats on replay. The start
 * and end of every invocation are logged at debug, because there are thousands per second.
 */
function toPino(log: Logger, onError: (error: unknown) => void = () => undefined): LoggerTransport {
  return (meta, message, ...rest) => {
    const fromHandler = meta.source === 'USER'
    if (meta.replaying && fromHandler) return
    const { invocationId, invocationTarget } = meta.context ?? {}
    const err = rest.find((detail) => detail instanceof Error)
    if (err !== undefined) onError(err)
    const details = rest.filter((detail) => detail !== err)
    const fields = { invocationId, invocationTarget, err, detail: details.length > 0 ? details : undefined }
    log[meta.level === 'info' && !fromHandler ? 'debug' : meta.level](fields, String(message))
  }
}
