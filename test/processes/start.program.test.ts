import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { postgresUrl } from '../../src/main/embedded/postgres.ts'
import { commandLineOf, exitOf, stopProcess } from '../../src/main/embedded/process.ts'
import { connect } from '../../src/store/database/connection.ts'
import { freePorts, isPortFree } from '../../src/main/embedded/ports.ts'
import { until } from '../../src/main/embedded/until.ts'

const run = promisify(execFile)
const CHECKOUT = join(import.meta.dirname, '..', '..')
const FOOTFALL = join(CHECKOUT, 'src', 'main', 'footfall.js')
const PORTS = [
  'GATEWAY_PORT',
  'RESTATE_INGRESS_PORT',
  'RESTATE_ADMIN_PORT',
  'RESTATE_NODE_PORT',
  'ENDPOINT_PORT',
  'ENDPOINT_METRICS_PORT',
  'POSTGRES_PORT',
]

let home: string
let environment: Record<string, string>
beforeAll(async () => {
  // A folder of mkdtemp is private, but PostgreSQL's own user must be able to enter it.
  // Sockets in it have longer paths than systems allow.
  home = join(await mkdtemp(join(tmpdir(), 'footfall-start-')), 'deep'.repeat(30), 'home')
  const ports = await freePorts(PORTS.length)
  environment = { FOOTFALL_HOME: home, ...Object.fromEntries(PORTS.map((name, n) => [name, String(ports[n])])) }
})
afterAll(async () => {
  // Processes are left only after a failure.
  for (const child of started) await stopProcess(child, 'SIGTERM', 30_000)
  await rm(join(home, '..', '..'), { recursive: true, force: true })
})

const started: ChildProcess[] = []

interface Started {
  child: ChildProcess
  output: () => string
}

async function start(changes: Record<string, string> = {}): Promise<Started> {
  const child = spawn(process.execPath, [FOOTFALL, 'start'], {
    env: { ...process.env, ...environment, ...changes },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  started.push(child)
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  await until(async () => output.includes('Footfall is ready') || child.exitCode !== null, 60_000)
  return { child, output: () => output }
}

const footfall = (args: string[], changes: Record<string, string> = {}) =>
  run(process.execPath, [FOOTFALL, ...args], { env: { ...process.env, ...environment, ...changes } }).then(
    ({ stdout, stderr }) => ({ code: 0, text: stdout + stderr }),
    (error: { code: number; stdout: string; stderr: string }) => ({ code: error.code, text: error.stdout + error.stderr }),
  )

const gateway = () => `http://127.0.0.1:${environment['GATEWAY_PORT']}`
const isReady = () =>
  fetch(`${gateway()}/ready`).then(
    (answer) => answer.ok,
    () => false,
  )
const lamp = async () =>
  (await (await fetch(`${gateway()}/api/v1/analytic/popularity/lamp`)).json()) as { data?: { purchase_count: number } }

async function databaseUrl(): Promise<string> {
  return postgresUrl({
    port: Number(environment['POSTGRES_PORT']),
    password: await readFile(join(home, 'postgres-password'), 'utf8'),
  })
}

async function children(ofHome = home): Promise<{ pid: number; mark: string }[]> {
  const { children } = JSON.parse(await readFile(join(ofHome, 'processes.json'), 'utf8')) as {
    children: { pid: number; mark: string }[]
  }
  return children
}

/** The logs, and the file of the processes. */
function privateFiles(): string[] {
  const logs = readdirSync(join(home, 'log')).map((name) => join(home, 'log', name))
  return [...logs, join(home, 'processes.json')]
}

/** The processes that still run. A zombie does not. */
async function leftovers(pids: number[]): Promise<number[]> {
  const lines = await Promise.all(pids.map(commandLineOf))
  return pids.filter((_, n) => lines[n] !== undefined)
}

test('npm start restarts killed processes, and keeps the data after any kind of end', { timeout: 180_000 }, async () => {
  const first = await start()
  expect(first.output()).toContain('Footfall is ready')
  // The printed commands work. They are printed a moment after the first line.
  await until(async () => first.output().includes('popularity/top'), 10_000)
  const commands = first
    .output()
    .split('\n')
    .filter((line) => line.trim().startsWith('curl'))
  const answers = []
  for (const command of commands) {
    answers.push(JSON.parse((await run('sh', ['-c', command])).stdout) as unknown)
    await until(async () => (await lamp()).data !== undefined, 10_000)
  }
  expect(answers).toEqual([
    { data: { accepted: 1, duplicates: 0, duplicate_indexes: [], rejected: [] } },
    { data: [expect.objectContaining({ product_id: 'lamp', score: 0.8 })], meta: { next_cursor: null } },
  ])

  // Killed processes are restarted without loss.
  for (const { pid } of await children()) {
    process.kill(pid, 'SIGKILL')
    expect(await until(async () => (await children()).every((child) => child.pid !== pid) && (await isReady()), 60_000)).toBe(
      true,
    )
  }
  expect(await lamp()).toMatchObject({ data: { purchase_count: 1 } })
  expect(await footfall(['verify'])).toMatchObject({
    code: 0,
    text: expect.stringContaining('1 event in the log, no cells differ'),
  })
  expect(await footfall(['start'])).toMatchObject({ code: 1, text: expect.stringContaining('already runs on this folder') })
  await Promise.all(privateFiles().map((file) => chmod(file, 0o644)))

  const before = (await children()).map(({ pid }) => pid)
  // Ctrl-C sends SIGINT twice: from the terminal and from npm.
  const ended = once(first.child, 'exit')
  first.child.kill('SIGINT')
  await until(async () => first.output().includes('Stopping.'), 10_000)
  first.child.kill('SIGINT')
  await ended
  expect(first.child.exitCode).toBe(0)
  expect(await leftovers(before)).toEqual([])

  // kill -9 of all processes: the next start recovers.
  const second = await start()
  expect(await lamp()).toMatchObject({ data: { purchase_count: 1 } })
  const all = (await children()).map(({ pid }) => pid)
  for (const pid of [second.child.pid!, ...all]) process.kill(pid, 'SIGKILL')
  // kill -9 of the starting process alone: the next start ends its children.
  const third = await start()
  expect(third.output()).toContain('Footfall is ready')
  const orphans = (await children()).map(({ pid }) => pid)
  third.child.kill('SIGKILL')
  const fourth = await start()
  expect(fourth.output()).toContain('Footfall is ready')
  expect(await leftovers(orphans)).toEqual([])
  expect(await lamp()).toMatchObject({ data: { purchase_count: 1 } })

  // Files of a start before are closed to other users of the machine, too.
  const modes = await Promise.all(privateFiles().map(async (file) => (await stat(file)).mode & 0o777))
  expect([modes.length, new Set(modes)]).toEqual([6, new Set([0o600])])

  // With the addresses of running servers only the endpoint and the gateway are started.
  const [gatewayPort, endpointPort, metricsPort] = await freePorts(3)
  const guest = await start({
    FOOTFALL_HOME: `${home}-guest`,
    DATABASE_URL: await databaseUrl(),
    RESTATE_INGRESS_URL: `http://127.0.0.1:${environment['RESTATE_INGRESS_PORT']}`,
    RESTATE_ADMIN_URL: `http://127.0.0.1:${environment['RESTATE_ADMIN_PORT']}`,
    GATEWAY_PORT: String(gatewayPort),
    ENDPOINT_PORT: String(endpointPort),
    ENDPOINT_METRICS_PORT: String(metricsPort),
  })
  expect(guest.output()).toContain('Footfall is ready')
  const seen = await fetch(`http://127.0.0.1:${gatewayPort}/api/v1/analytic/popularity/lamp`)
  expect(await seen.json()).toMatchObject({ data: { purchase_count: 1 } })
  expect(await children(`${home}-guest`)).toHaveLength(2)
  guest.child.kill('SIGINT')
  await once(guest.child, 'exit')

  // verify names a cell that was changed by hand.
  const database = connect({ url: await databaseUrl(), name: 'test', connectionsMax: 1 })
  await sql`update product_popularity set purchase_count = purchase_count + 1`.execute(database)
  const drifted = await footfall(['verify'])
  expect(drifted.code).toBe(1)
  expect(drifted.text).toContain('product_popularity {"product_id":"lamp"} purchase_count: stored 2, expected 1')
  await sql`update product_popularity set purchase_count = purchase_count - 1`.execute(database)
  expect(await footfall(['verify'])).toMatchObject({ code: 0 })
  await database.destroy()

  fourth.child.kill('SIGTERM')
  await once(fourth.child, 'exit')

  // Other weights on existing data are refused with a command that works while nothing runs.
  const refused = await footfall(['start'], { POPULARITY_WEIGHTS: 'storefront' })
  expect(refused.code).toBe(1)
  expect(refused.text.trim().split('\n')).toHaveLength(1)
  expect(refused.text).toContain('./footfall rescore')
  expect(await footfall(['rescore'], { POPULARITY_WEIGHTS: 'storefront' })).toMatchObject({
    code: 0,
    text: expect.stringContaining('1 products rescored'),
  })
  expect(await footfall(['top', '--json'])).toMatchObject({ code: 0, text: expect.stringContaining('"score": 10') })
  expect(await footfall(['migrate'], { POPULARITY_WEIGHTS: 'storefront' })).toMatchObject({
    code: 0,
    text: 'Nothing to apply.\n',
  })
  expect(await footfall(['backlog'])).toMatchObject({ code: 0, text: expect.stringContaining('nothing waits') })
  for (const port of PORTS) expect(await isPortFree(Number(environment[port]))).toBe(true)
})

test('Ctrl-C during the start leaves no process behind', { timeout: 120_000 }, async () => {
  const early = `${home}-early`
  const starting = start({ FOOTFALL_HOME: early })
  expect(await until(async () => existsSync(join(early, 'processes.json')), 60_000)).toBe(true)
  const { supervisor, children } = JSON.parse(await readFile(join(early, 'processes.json'), 'utf8')) as {
    supervisor: number
    children: { pid: number }[]
  }
  process.kill(supervisor, 'SIGINT')
  const { child, output } = await starting
  await exitOf(child)
  expect(output()).toContain('Stopping.')
  expect(await leftovers(children.map(({ pid }) => pid))).toEqual([])
  for (const port of PORTS) expect(await isPortFree(Number(environment[port]))).toBe(true)
})

test('two concurrent commands without a running program both keep their database', { timeout: 120_000 }, async () => {
  const outcomes = await Promise.all([footfall(['verify']), footfall(['verify'])])
  expect(outcomes.some(({ code }) => code === 0)).toBe(true)
  for (const { code, text } of outcomes)
    expect(text).toMatch(code === 0 ? /cells differ/ : /^(Another footfall command|PostgreSQL runs in)/)
})

test('a gateway that others can reach starts only if there is a key, and requires it', { timeout: 180_000 }, async () => {
  const open = { FOOTFALL_HOME: `${home}-public`, GATEWAY_HOST: '0.0.0.0' }
  const refused = await footfall(['start'], open)
  expect(refused.code).toBe(1)
  expect(refused.text.trim().split('\n')).toEqual([
    expect.stringMatching(/GATEWAY_HOST \(0\.0\.0\.0\), and there is no key yet: make one with \.\/footfall key create/),
  ])
  for (const port of PORTS) expect(await isPortFree(Number(environment[port]))).toBe(true)

  const made = await footfall(['key', 'create', 'test', '--scope', 'read'], open)
  expect(made.code).toBe(0)
  const { child, output } = await start(open)
  expect(output()).toContain('Footfall is ready')
  const status = async (headers: Record<string, string> = {}, host = '127.0.0.1') =>
    (await fetch(`http://${host}:${environment['GATEWAY_PORT']}/api/v1/analytic/popularity/top`, { headers })).status
  const key = { authorization: `Bearer ${/ff_\w+/.exec(made.text)![0]}` }
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? [])
  for (const { address } of addresses.filter(({ family }) => family === 'IPv4')) {
    expect([await status({}, address), await status(key, address)]).toEqual([401, 200])
  }
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
  const log = await readFile(join(`${home}-public`, 'log', 'gateway.log'), 'utf8')
  expect(log).toContain('"status":401')
  expect(log + output()).not.toContain(/ff_\w+_(\w+)/.exec(made.text)![1])
})

test.each([
  ['a busy port', { GATEWAY_PORT: 'busy' }, 'GATEWAY_PORT'],
  ['a folder that cannot be written', { FOOTFALL_HOME: '/proc/footfall' }, 'set FOOTFALL_HOME'],
  ['a port that is none', { POSTGRES_PORT: 'many' }, 'POSTGRES_PORT'],
  ['a weight file that does not exist', { POPULARITY_WEIGHTS: '/no/such/file.json' }, 'POPULARITY_WEIGHTS'],
  ['a database that does not answer', { DATABASE_URL: 'postgres://a:b@127.0.0.1:1/x' }, 'DATABASE_URL'],
  ['two variables with one port', { GATEWAY_PORT: '20001', ENDPOINT_PORT: '20001' }, 'PORT is 20001'],
  ['a proxy that is no address', { TRUSTED_PROXIES: '10.0.0.1, proxy' }, 'TRUSTED_PROXIES must be addresses'],
  ['half a Restate', { RESTATE_INGRESS_URL: 'http://127.0.0.1:1' }, 'RESTATE_ADMIN_URL'],
])(
  '%s is refused with one sentence that names what to change',
  { timeout: 60_000 },
  async (_name, changes: Record<string, string>, named) => {
    const { createServer } = await import('node:net')
    const busy = createServer().listen(0, '127.0.0.1')
    await once(busy, 'listening')
    const environment = Object.fromEntries(
      Object.entries(changes).map(([name, value]) => [
        name,
        value === 'busy' ? String((busy.address() as { port: number }).port) : value,
      ]),
    )
    const { code, text } = await footfall(['start'], { FOOTFALL_HOME: `${home}-other`, ...environment })
    busy.close()
    expect(code).toBe(1)
    expect(text).toContain(named)
    expect(text.trim().split('\n')).toHaveLength(1)
  },
)

test('an older Node is refused with the version that is needed', async () => {
  const asNode20 = `Object.defineProperty(process.versions, 'node', { value: '20.19.0' }); await import(${JSON.stringify(FOOTFALL)})`
  const failed = await run(process.execPath, ['--input-type=module', '-e', asNode20]).catch(
    (error: { code: number; stderr: string }) => error,
  )
  expect(failed).toMatchObject({ code: 1, stderr: expect.stringMatching(/^Footfall needs Node 24 .*npm ci.*\n$/) })
})

test.each(['start', 'migrate', 'import', 'demo', 'key', 'top', 'backlog', 'rejected', 'schedules', 'verify', 'rescore'])(
  'footfall %s --help prints its usage',
  async (command) => {
    expect(await footfall([command, '--help'])).toMatchObject({
      code: 0,
      text: expect.stringContaining(`Usage: footfall ${command}`),
    })
  },
)
