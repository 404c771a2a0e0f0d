import { createServer, type ServerHttp2Session } from 'node:http2'
import { createEndpointHandler, type HooksProvider, type LoggerTransport } from '@restatedev/restate-sdk'
import type { Logger } from 'pino'
import { analytic } from '../../../services/analytic.ts'
import { catalog } from '../../../services/catalog.ts'
import type { Deps } from '../../../services/handler/deps.ts'
import { popularity } from '../../../services/popularity.ts'
import { recomputeRun } from '../../../services/recompute-run.ts'
import { reportWindow } from '../../../services/report-window.ts'
import { schedule } from '../../../services/schedule.ts'
import { task } from '../../../services/task.ts'
import { RELEASE } from '../release/release.ts'

/** Every service. A new one is added here. */
export function services(deps: Deps) {
  return [analytic(deps), popularity(deps), catalog(deps), recomputeRun(deps), reportWindow(deps), schedule(deps), task(deps)]
}

export interface EndpointOptions {
  host: string
  port: number
  log: Logger
  /** Public keys, as `publickeyv1_…`, of the Restates that may call it; anybody when there are none. */
  identityKeys?: string[]
  /** What Restate's answers name it by. */
  release?: string
  /** Wrapped around every attempt and every step, the first one outermost. */
  hooks?: HooksProvider[]
}

export interface Endpoint {
  /** Takes nothing new, lets what runs come to its end for so long, and ends. What was not done by then, Restate tries elsewhere. */
  drain: (msMax: number) => Promise<void>
}

/** Serves the services to Restate over HTTP/2. */
export async function serveEndpoint(deps: Deps, options: EndpointOptions): Promise<Endpoint> {
  const { identityKeys = [], hooks = [], release = 'unnamed' } = options
  const handler = createEndpointHandler({
    services: services(deps).map((service) => ({ ...service, metadata: { [RELEASE]: release } })),
    defaultServiceOptions: { hooks },
    logger: toPino(options.log),
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
      // Says GOAWAY: new calls come on a new connection, to another process.
      for (const session of sessions) session.close()
      await Promise.all(closed)
      clearTimeout(timer)
    },
  }
}

/**
 * Restate's log lines with fields instead of sentences; what a handler says again on replay is dropped. The start and end
 * of every invocation are for debugging only: there are thousands a second.
 */
function toPino(log: Logger): LoggerTransport {
  return (meta, message, ...rest) => {
    const fromHandler = meta.source === 'USER'
    if (meta.replaying && fromHandler) return
    const { invocationId, invocationTarget } = meta.context ?? {}
    const err = rest.find((one) => one instanceof Error)
    const others = rest.filter((one) => one !== err)
    const fields = { invocationId, invocationTarget, err, detail: others.length > 0 ? others : undefined }
    log[meta.level === 'info' && !fromHandler ? 'debug' : meta.level](fields, String(message))
  }
}
