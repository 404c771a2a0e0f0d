import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { sql } from 'kysely'
import { readConfig } from '../../src/main/config/config.ts'
import { addressesOf } from '../../src/main/config/addresses.ts'
import { paymentSecretFileOf, processesFileOf } from '../../src/main/database/home-paths.ts'
import { databaseUrlOf } from '../../src/main/database/database-url.ts'
import { connect, type Database } from '../../src/store/database/connection.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { isSettled, waitUntil } from '../bench/measure/settled.ts'
import { memoryOf } from '../bench/measure/process-memory.ts'
import { makersOf, type Maker, type SoakRequest } from './traffic.ts'

/**
 * Sends the traffic of a shop to a new, empty `npm start` with the same environment: 30 s as fast as it answers, and then for as many
 * minutes at a share of that rate. Prints the memory of each process and the p99 of each kind of request every ten minutes, and at
 * the end what was lost, doubled, or differs from a replay of the log.
 */
const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '60' }, share: { type: 'string', default: '0.6' } },
})
const CONNECTIONS = 64
const OPEN_MAX = 1_000
/** Requests in a turn of the event loop while it is behind. */
const TURN = 20
const PROBE_MS = 30_000
const REPORT_MINUTES = 10
const ATTEMPTS_MAX = 10
const SETTLED_MS_MAX = 600_000

const config = readConfig(process.env)
const { gatewayUrl } = addressesOf(config)
const makers = Object.entries(makersOf((await readFile(paymentSecretFileOf(config), 'utf8')).trim()))
const shares = makers.flatMap(([kind, maker]) => Array.from({ length: maker.share }, () => [kind, maker] as const))

const totals = { requests: 0, repeated: 0, events: 0, payments: 0 }
let latencies: Record<string, number[]> = {}
const statuses: Record<string, number> = {}

function nextRequest(): SoakRequest {
  const [kind, maker]: readonly [string, Maker] = shares[Math.floor(Math.random() * shares.length)]!
  return { kind, ...maker.make() }
}

/** Sends a request until it is answered; `dueMs` is when it should have been sent. */
async function send(request: SoakRequest, dueMs = performance.now()): Promise<void> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const status = await statusOf(request)
    statuses[status] = (statuses[status] ?? 0) + 1
    if (status !== 503 && status !== 0) break
    totals.repeated++
    await sleep(500)
  }
  ;(latencies[request.kind] ??= []).push(performance.now() - dueMs)
  totals.requests++
  totals.events += request.events
  if (request.kind === 'payment') totals.payments++
}

async function statusOf({ path, body, headers }: SoakRequest): Promise<number> {
  try {
    const post = body !== undefined && { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body }
    const answer = await fetch(gatewayUrl + path, post || {})
    await answer.text()
    return answer.status
  } catch {
    return 0
  }
}

/** As many requests as a number of connections get answered. */
async function probe(): Promise<number> {
  const endMs = performance.now() + PROBE_MS
  const before = totals.requests
  const connection = async () => {
    while (performance.now() < endMs) await send(nextRequest())
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, connection))
  return (totals.requests - before) / (PROBE_MS / 1_000)
}

/**
 * Sends at a steady rate, however long answers take, as long as few requests are open. When it is behind it reads answers after every few
 * requests, because it would otherwise send until it has no memory.
 */
async function sendSteadily(perSecond: number, minutes: number): Promise<void> {
  const startMs = performance.now()
  const open = new Set<Promise<void>>()
  let reportMinute = REPORT_MINUTES
  for (let sent = 0; ; sent++) {
    const dueMs = startMs + (sent / perSecond) * 1_000
    if (dueMs > startMs + minutes * 60_000) break
    const waitMs = dueMs - performance.now()
    if (waitMs > 0 || sent % TURN === 0) await sleep(Math.max(0, waitMs))
    if (open.size >= OPEN_MAX) await Promise.race(open)
    const sending = send(nextRequest(), dueMs).finally(() => open.delete(sending))
    open.add(sending)
    if (dueMs - startMs >= reportMinute * 60_000) {
      void report(`minute ${reportMinute}`)
      reportMinute += REPORT_MINUTES
    }
  }
  await Promise.all(open)
}

async function report(title: string): Promise<void> {
  const { children } = JSON.parse(await readFile(processesFileOf(config), 'utf8')) as {
    children: { pid: number; mark: string }[]
  }
  const memory = await Promise.all(children.map(async ({ pid, mark }) => [nameOf(mark), Math.round(await memoryOfTree(pid))]))
  const times = Object.entries(latencies).map(([kind, list]) => [kind, list.length, quantile(list, 0.5), quantile(list, 0.99)])
  latencies = {}
  console.log(title, JSON.stringify({ megabytes: Object.fromEntries(memory), count_p50_p99: times, ...totals, statuses }))
}

const nameOf = (mark: string) => mark.split('/').at(-1)!

/** PostgreSQL has a process for each connection. They share memory that is counted once here, with the first process. */
async function memoryOfTree(pid: number): Promise<number> {
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')).trim().split(' ').filter(Boolean)
  const privates = await Promise.all(children.map(async (child) => privateMegabytesOf(Number(child))))
  return (await memoryOf(pid)) + privates.reduce((sum, megabytes) => sum + megabytes, 0)
}

async function privateMegabytesOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  return Number(/RssAnon:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * (1_024 / 1_000_000)
}

function quantile(list: number[], share: number): number {
  const sorted = list.toSorted((one, other) => one - other)
  return Math.round(sorted[Math.floor(share * (sorted.length - 1))]! * 10) / 10
}

async function inspect(db: Database): Promise<void> {
  await waitUntil(() => isSettled(db), SETTLED_MS_MAX)
  const { rows } = await sql<{ interactions: number; searches: number; payments: number; of_payments: number }>`
    select (select count(*)::int from interaction) as interactions, (select count(*)::int from search) as searches,
      (select count(*)::int from payment_callback) as payments,
      (select count(distinct (callback_no, item))::int from sale_line) as of_payments`.execute(db)
  const { drift } = await verify(db)
  const { interactions, searches, payments, of_payments: ofPayments } = rows[0]!
  const recorded = interactions + searches - ofPayments
  console.log(
    JSON.stringify({ sent: totals, recorded, payments, lost_or_doubled: recorded - totals.events, drift: drift.length }),
  )
  process.exitCode = recorded === totals.events && payments === totals.payments && drift.length === 0 ? 0 : 1
}

const perSecond = await probe()
await report(`as fast as it answers: ${Math.round(perSecond)} requests/s`)
await sendSteadily(perSecond * Number(values.share), Number(values.minutes))
await report('end')
const db = connect({ url: await databaseUrlOf(config), name: 'soak', statementMsMax: 0, connectionsMax: 2 })
try {
  await inspect(db)
} finally {
  await db.destroy()
}
