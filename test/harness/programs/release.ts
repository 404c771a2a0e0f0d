import { generateKeyPairSync } from 'node:crypto'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { stopProcess } from '../../../src/main/embedded/process.ts'
import { verify } from '../../../src/store/proof/verification.ts'
import { createDatabase, type TestDatabase } from '../servers/database.ts'
import { answering, CHECKOUT, type CommandProcess, runCommandProcess, startCommandProcess } from './command-process.ts'
import { startTestRestate, type TestRestate } from '../servers/restate.ts'
import { settled } from '../servers/stack.ts'
import type { SteadyLoad } from '../clients/steady-load.ts'
import { freePorts } from '../../../src/main/embedded/ports.ts'
import { until } from '../../../src/main/embedded/until.ts'

export const PATIENCE_MS = 30_000
/** The time in which an endpoint or a gateway must end. */
const DRAIN_MS_MAX = 20_000

export interface Release {
  environment: Record<string, string>
  checkout: string
  endpoint: CommandProcess
}

/** A database and a Restate that signs its calls, for endpoints and gateways in processes of their own. */
export interface Site {
  database: TestDatabase
  restate: TestRestate
  folder: string
  stop: () => Promise<void>
}

export async function startSite(postgresUrl: string): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), 'footfall-release-'))
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  await writeFile(join(folder, 'key'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  await writeFile(join(folder, 'key.pub'), publicKey.export({ type: 'spki', format: 'pem' }))
  const [database, restate] = await Promise.all([createDatabase(postgresUrl), startTestRestate(join(folder, 'key'))])
  const stop = async () => {
    await restate.stop()
    await database.drop()
    await rm(folder, { recursive: true, force: true })
  }
  return { database, restate, folder, stop }
}

/** A checkout in which `change` replaces the text of one file. */
export async function checkoutWith(
  { folder }: Site,
  name: string,
  path: string,
  change: (text: string) => string,
): Promise<string> {
  const checkout = join(folder, name)
  await mkdir(checkout)
  for (const part of ['src', 'services', 'sql', 'package.json', 'package-lock.json']) {
    await cp(join(CHECKOUT, part), join(checkout, part), { recursive: true })
  }
  await symlink(join(CHECKOUT, 'node_modules'), join(checkout, 'node_modules'))
  const file = join(checkout, path)
  const text = await readFile(file, 'utf8')
  const changed = change(text)
  if (changed === text) throw new Error(`${path} does not have what is to be changed`)
  await writeFile(file, changed)
  return checkout
}

/** An endpoint of a checkout at an address of its own, not registered yet. It ends with the test. */
export async function startRelease(
  { database, restate, folder }: Site,
  changes: Record<string, string> = {},
  checkout = CHECKOUT,
): Promise<Release> {
  const [port, metrics, gateway] = (await freePorts(3)) as [number, number, number]
  const environment = {
    DATABASE_URL: database.url,
    RESTATE_INGRESS_URL: restate.ingressUrl,
    RESTATE_ADMIN_URL: restate.adminUrl,
    FOOTFALL_ENDPOINT_URL: restate.urlOfEndpoint(port),
    ENDPOINT_HOST: restate.endpointHost,
    RESTATE_IDENTITY_KEY_FILE: join(folder, 'key.pub'),
    ENDPOINT_PORT: String(port),
    ENDPOINT_METRICS_PORT: String(metrics),
    GATEWAY_PORT: String(gateway),
    LOG_LEVEL: 'warn',
    ...changes,
  }
  const endpoint = startCommandProcess(['endpoint'], environment, checkout)
  onTestFinished(() => stopProcess(endpoint.child, 'SIGKILL'))
  await answering(endpoint, `http://127.0.0.1:${environment.ENDPOINT_METRICS_PORT}/health`)
  return { environment, checkout, endpoint }
}

/** It ends with the test. */
export async function startGatewayOf({
  environment,
}: Pick<Release, 'environment'>): Promise<{ part: CommandProcess; url: string }> {
  const part = startCommandProcess(['gateway'], environment)
  onTestFinished(() => stopProcess(part.child, 'SIGKILL'))
  const url = `http://127.0.0.1:${environment['GATEWAY_PORT']}`
  await answering(part, `${url}/health`)
  return { part, url }
}

export function register({ environment, checkout }: Release, ...options: string[]) {
  return runCommandProcess(['register', ...options], environment, checkout)
}

/** Resolves when some requests more were answered. */
export async function flowing(load: SteadyLoad): Promise<void> {
  const before = load.answered()
  expect(await until(async () => load.answered() > before + 20, PATIENCE_MS)).toBe(true)
}

/** After SIGTERM it ends by itself, in time, and without an error. */
export async function endsWhenTold({ child, ended }: CommandProcess): Promise<void> {
  child.kill('SIGTERM')
  const tooLate = new Promise<string>((resolve) => setTimeout(() => resolve('too late'), DRAIN_MS_MAX).unref())
  expect(await Promise.race([ended, tooLate])).toBe(0)
}

/** The number of events in the log, after all are counted and verified. */
export async function provedEvents({ database: { db } }: Site): Promise<number> {
  await settled(db)
  const { drift, events } = await verify(db)
  expect(drift).toEqual([])
  return events
}
