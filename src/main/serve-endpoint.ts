import { createServer, type Http2Server } from 'node:http2'
import { createEndpointHandler, type HooksProvider, type LoggerTransport } from '@restatedev/restate-sdk'
import type { Logger } from 'pino'
import { analytic } from '../../services/analytic.ts'
import { catalog } from '../../services/catalog.ts'
import type { Deps } from '../../services/deps.ts'
import { popularity } from '../../services/popularity.ts'
import { schedule } from '../../services/schedule.ts'
import { task } from '../../services/task.ts'

/** Every service. A new one is added here. */
export function services(deps: Deps) {
  return [analytic(deps), popularity(deps), catalog(deps), schedule(deps), task(deps)]
}

export interface EndpointOptions {
  host: string
  port: number
  log: Logger
  /** Wrapped around every attempt and every step, the first one outermost. */
  hooks?: HooksProvider[]
}

/** Serves the services to Restate over HTTP/2. */
export async function serveEndpoint(deps: Deps, options: EndpointOptions): Promise<Http2Server> {
  const hooks = options.hooks ?? []
  const handler = createEndpointHandler({
    services: services(deps),
    defaultServiceOptions: { hooks },
    logger: toPino(options.log),
  })
  const server = createServer(handler)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, resolve)
  })
  return server
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
