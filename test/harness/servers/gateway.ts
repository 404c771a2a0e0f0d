import type { Server } from 'node:http'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { createEventWriter } from '../../../src/gateway/recording/event-writer.ts'
import { createKeyRing } from '../../../src/gateway/access/key-ring.ts'
import { createPaymentWriter } from '../../../src/gateway/recording/payment-writer.ts'
import { createProductWriter } from '../../../src/gateway/recording/product-writer.ts'
import { type Recorder, createRecorder } from '../../../src/ingress/recorder.ts'
import { createRecomputeRunsClient } from '../../../src/ingress/recompute-runs-client.ts'
import { recordingWays } from '../../../src/gateway/recording/ways.ts'
import { createSchedulesClient } from '../../../src/ingress/schedules-client.ts'
import { createGateway, type GatewayDeps, type GatewaySettings } from '../../../src/gateway/server.ts'
import { connect } from '../../../src/store/database/connection.ts'
import { queueLimitsOf } from '../../../src/main/config/capacity.ts'
import { readConfig } from '../../../src/main/config/config.ts'
import { gatewaySettingsOf } from '../../../src/main/config/gateway-settings.ts'
import type { Stack } from './stack.ts'
import { SILENT_OBSERVER } from './silent-observer.ts'

export interface TestGateway {
  url: string
  /** The log so far, a line each. */
  log: Record<string, unknown>[]
  server: Server
  stop: () => Promise<void>
}

const DEFAULTS = readConfig({})

/** The default settings, without caches and with as many long reads on every machine. */
export const SETTINGS: GatewaySettings = { ...gatewaySettingsOf(DEFAULTS), topCacheMs: 0, popularCacheMs: 0, addedUpAtOnce: 2 }

export const PAYMENT_SECRET = 'a secret of the tests'

export const QUEUE_LIMITS = queueLimitsOf(DEFAULTS)

/** What a test replaces of a gateway's dependencies. */
export type GatewayChanges = Partial<GatewayDeps> & { recorder?: Recorder }

/** A gateway on a free port, over a read-only connection as in production. */
export async function startGateway(
  databaseUrl: string,
  stack: Pick<Stack, 'ingressUrl'>,
  { recorder: restate = createRecorder(stack.ingressUrl), ...changes }: GatewayChanges = {},
): Promise<TestGateway> {
  const log: Record<string, unknown>[] = []
  const lines = new Writable({
    write(chunk: Buffer, _encoding, done) {
      for (const line of chunk.toString().split('\n').filter(Boolean)) log.push(JSON.parse(line) as Record<string, unknown>)
      done()
    },
  })
  const db = connect({ url: databaseUrl, name: 'test gateway', readOnly: true, prepares: true })
  const keys = createKeyRing(db, () => undefined)
  await keys().catch(() => undefined)
  const { ingressUrl } = stack
  const { gate, ...ways } = recordingWays({ ingressUrl, db, restate, observer: SILENT_OBSERVER, ...QUEUE_LIMITS })
  const app = await createGateway({
    db,
    log: pino({ level: 'debug' }, lines),
    ...ways,
    analyticsEvents: createEventWriter({ ingressUrl, observer: SILENT_OBSERVER, ...QUEUE_LIMITS }),
    payments: {
      payments: createPaymentWriter({ ingressUrl, observer: SILENT_OBSERVER, ...QUEUE_LIMITS }),
      secrets: [PAYMENT_SECRET],
      adapters: [],
    },
    writeProducts: createProductWriter({ ingressUrl, gate }),
    keys,
    sellerOfToken: undefined,
    settings: SETTINGS,
    readiness: async () => ({ postgresql: true, restate: true, endpoint: true, registration: true, paused_tasks: [] }),
    runs: createRecomputeRunsClient(ingressUrl),
    schedules: createSchedulesClient(ingressUrl),
    observer: SILENT_OBSERVER,
    metrics: async () => '',
    isTraced: false,
    ...changes,
  })
  // As in production: beyond it the kernel turns connections of a burst away.
  const url = await app.listen({ host: '127.0.0.1', port: 0, backlog: 4_096 })
  return {
    url,
    log,
    server: app.server,
    stop: async () => {
      await app.close()
      await db.destroy()
    },
  }
}
