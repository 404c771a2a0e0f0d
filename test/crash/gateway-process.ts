import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { exitOf } from '../../src/main/embedded/process.ts'

export interface GatewayProcess {
  databaseUrl: string
  ingressUrl: string
  port: number
  /** The open file of its log. */
  log: number
}

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main', 'gateway.ts')

/** Starts the gateway with its default settings. Resolves when it listens. @throws when it ends first. */
export async function startGatewayProcess({ databaseUrl, ingressUrl, port, log }: GatewayProcess): Promise<ChildProcess> {
  const env = {
    PATH: process.env['PATH'],
    NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
    DATABASE_URL: databaseUrl,
    RESTATE_INGRESS_URL: ingressUrl,
    GATEWAY_PORT: String(port),
    LOG_LEVEL: 'warn',
  }
  const child = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', log, log, 'ipc'] })
  // Its one message says that it listens.
  const isReady = await Promise.race([once(child, 'message').then(() => true), exitOf(child).then(() => false)])
  if (isReady) return child
  throw new Error('the gateway ended before it listened')
}
