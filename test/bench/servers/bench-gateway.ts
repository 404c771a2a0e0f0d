import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GATEWAY_MALLOC } from '../../../src/main/embedded/malloc-settings.ts'
import { V8_FLAGS } from '../../../src/main/embedded/v8-flags.ts'
import { exitOf, stopProcess } from '../../../src/main/embedded/process.ts'
import { freePorts } from '../../../src/main/embedded/ports.ts'

/** The gateway as `npm start` runs it, or the same server with a static page. */
const FILES = {
  gateway: join(import.meta.dirname, '..', '..', '..', 'src', 'main', 'gateway.ts'),
  withStaticPage: join(import.meta.dirname, 'static-gateway.ts'),
}

export interface BenchGateway {
  url: string
  pid: number
  stop: () => Promise<void>
}

export interface GatewayOptions {
  databaseUrl: string
  restate: { ingressUrl: string; adminUrl: string }
  kind?: keyof typeof FILES
  /** More settings, by environment variable. */
  settings?: Record<string, string>
}

/** Starts a gateway process. It logs every request into a file, as in production, because that is part of a request's cost. */
export async function startBenchGateway({ databaseUrl, restate, kind, settings }: GatewayOptions): Promise<BenchGateway> {
  const folder = mkdtempSync(join(tmpdir(), 'footfall-bench-gateway-'))
  const log = openSync(join(folder, 'gateway.log'), 'a')
  const [port] = (await freePorts(1)) as [number]
  const child = fork(FILES[kind ?? 'gateway'], {
    execArgv: V8_FLAGS.gateway,
    stdio: ['ignore', log, 'inherit', 'ipc'],
    env: {
      ...GATEWAY_MALLOC,
      ...process.env,
      DATABASE_URL: databaseUrl,
      RESTATE_INGRESS_URL: restate.ingressUrl,
      RESTATE_ADMIN_URL: restate.adminUrl,
      GATEWAY_PORT: String(port),
      LOG_LEVEL: 'info',
      ...settings,
    },
  })
  const stop = async () => {
    await stopProcess(child, 'SIGTERM')
    await rm(folder, { recursive: true, force: true })
  }
  if (await isReady(child)) return { url: `http://127.0.0.1:${port}`, pid: child.pid!, stop }
  await stop()
  throw new Error('the gateway did not start')
}

async function isReady(child: ChildProcess): Promise<boolean> {
  return Promise.race([once(child, 'message').then(() => true), exitOf(child).then(() => false)])
}
