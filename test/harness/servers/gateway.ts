import type { Server } from 'node:http'
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { createKeyRing } from '../../../src/gateway/access/key-ring.ts'
import { createSessionRing } from '../../../src/gateway/access/session-ring.ts'
import { createRecording } from '../../../src/gateway/recording/ways.ts'
import type { GatewaySettings } from '../../../src/gateway/routes/deps.ts'
import { postgresHistory } from '../../../src/store/metrics/postgres-history.ts'
import { createGateway, type GatewayDeps } from '../../../src/gateway/server.ts'
import { createProcessEvents } from '../../../src/external/process-events.ts'
import { createIngress } from '../../../src/ingress/clients.ts'
import { rejectionLimitsOf } from '../../../src/main/config/access.ts'
import { queueLimitsOf } from '../../../src/main/config/capacity.ts'
import { readConfig } from '../../../src/main/config/config.ts'
import { recordsImpressions } from '../../../src/main/config/impressions.ts'
import { gatewaySettingsOf } from '../../../src/main/config/gateway-settings.ts'
import { createSigner } from '../../../src/store/access/change.ts'
import { connect, type Database } from '../../../src/store/database/connection.ts'
import { createItemsWorker } from '../../../src/workers/items-worker.ts'
import { SILENT_OBSERVER } from './silent-observer.ts'
import type { Stack } from './stack.ts'

export interface TestGateway {
  url: string
  /** The lines of the log so far. */
  log: Record<string, unknown>[]
  server: Server
  stop: () => Promise<void>
}

const DEFAULTS = readConfig({})

/** The default settings, without caches and with as many long reads on every machine. */
export const SETTINGS: GatewaySettings = { ...gatewaySettingsOf(DEFAULTS), topCacheMs: 0, popularCacheMs: 0, addedUpAtOnce: 2 }

export const PAYMENT_SECRET = 'a secret of the tests'

export const QUEUE_LIMITS = {
  ...queueLimitsOf(DEFAULTS),
  rejectionLimits: rejectionLimitsOf(DEFAULTS, 1),
  recordsImpressions: recordsImpressions(DEFAULTS),
}

/** Shared by the gateways of a test process. It is idle after a minute, and keeps no process alive. */
const ITEMS_WORKER = createItemsWorker()

/** Replacements of a gateway's dependencies, and of the limits of its queues. */
export type GatewayChanges = Partial<GatewayDeps> & { limits?: Partial<typeof QUEUE_LIMITS> }

/** The dependencies of a gateway without a log; `changes` win. The keys are read from the database. */
export function gatewayDepsOf(
  { db, ingressUrl }: { db: Database; ingressUrl: string },
  { limits, ...changes }: GatewayChanges = {},
): Omit<GatewayDeps, 'log'> {
  const { ingress = createIngress({ url: ingressUrl }), observer = SILENT_OBSERVER } = changes
  return {
    db,
    ingress,
    observer,
    recording: createRecording({ ingress, db, observer, ...QUEUE_LIMITS, ...limits }),
    itemsWorker: ITEMS_WORKER,
    live: createProcessEvents({ shoppersMax: 1_000, bytesMax: 1024 * 1024, idleMs: 15 * 60_000 }),
    access: {
      keys: createKeyRing(db, () => undefined),
      sellerOfToken: undefined,
      sessionOf: createSessionRing(db, () => undefined),
      noteUse: () => undefined,
    },
    signChange: createSigner(db),
    metricHistory: postgresHistory,
    paymentWebhooks: { secrets: [PAYMENT_SECRET], adapters: [] },
    settings: SETTINGS,
    readiness: async () => ({ postgresql: true, restate: true, endpoint: true, registration: true, paused_tasks: [] }),
    stuckInvocations: async () => ({ data: [], meta: { paused: 0, retrying: 0 } }),
    metrics: async () => '',
    isTraced: false,
    ...changes,
  }
}

/** A gateway on a free port, over a read-only connection as in production. */
export async function startGateway(
  databaseUrl: string,
  stack: Pick<Stack, 'ingressUrl'>,
  changes: GatewayChanges = {},
): Promise<TestGateway> {
  const log: Record<string, unknown>[] = []
  const lines = new Writable({
    write(chunk: Buffer, _encoding, done) {
      for (const line of chunk.toString().split('\n').filter(Boolean)) log.push(JSON.parse(line) as Record<string, unknown>)
      done()
    },
  })
  const db = connect({ url: databaseUrl, name: 'test gateway', readOnly: true, prepares: true })
  const deps = gatewayDepsOf({ db, ingressUrl: stack.ingressUrl }, changes)
  const app = await createGateway({ log: pino({ level: 'debug' }, lines), ...deps })
  // As in production: beyond it the kernel turns connections of a burst away.
  const url = await app.listen({ host: '127.0.0.1', port: 0, backlog: 4_096 })
  return {
    url,
    log,
    server: app.server,
    stop: async () => {
      await app.close()
      await deps.recording.impressions.stop()
      deps.recording.room.stop()
      await db.destroy()
    },
  }
}
