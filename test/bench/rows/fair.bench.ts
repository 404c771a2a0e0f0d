import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../../../src/store/database/connection.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import type { Job, LoadResult } from '../client/job.ts'
import { type LoadProcess, startLoad } from '../client/start-load.ts'
import {
  type Abuse,
  abusesOf,
  type Bystander,
  BYSTANDERS,
  bystandersOf,
  ONE_LARGE,
  type Part,
  windowedPaths,
} from '../items/fair-callers.ts'
import { fairKeys, storeFairData } from '../items/fair-data.ts'
import { type Claim, formatted, type RowResult } from '../measure/claim.ts'
import { interleaved, median } from '../measure/rounds.ts'
import { isSettled, waitUntil } from '../measure/settled.ts'
import { startBenchGateway } from '../servers/bench-gateway.ts'
import { withServers } from '../servers/bench-stack.ts'

const FULL = { data: { products: 20_000, rows: 1_000_000 }, seconds: 6, rounds: 5 }
const QUICK = { data: { products: 5_000, rows: 100_000 }, seconds: 3, rounds: 1 }
/** The abuse begins so long before the requests of bystanders, so that much of it waits already. */
const AHEAD_MS = 1_000
const QUIET_MS_MAX = 500
const SAME_TIMES_MAX = 3
const OTHER_TIMES_MAX = 2

/** How much longer bystanders wait while one key is abused, against the time immediately before. */
export function fair(isQuick: boolean): Promise<RowResult> {
  const { data, seconds, rounds } = isQuick ? QUICK : FULL
  return withServers(async ({ postgres, restate, endpoint, load }, stopAtEnd) => {
    const { db, url: databaseUrl, drop } = await createDatabase(postgres.url)
    stopAtEnd({ stop: () => endpoint.use(null).then(drop) })
    await storeFairData(db, data)
    const keys = await fairKeys(db)
    await endpoint.use(databaseUrl)
    const { url } = stopAtEnd(await startBenchGateway({ databaseUrl, restate }))
    const abusive = stopAtEnd(startLoad())
    const jobOf = ({ path = '', ...part }: Part, secondsMax: number) =>
      ({ ...part, url: url + path, secondsMax, areErrorsCounted: true }) as Job
    const bystanders = (secondsMax: number) => seenBy(load, bystandersOf(keys), (part) => jobOf(part, secondsMax))
    const way =
      ({ part }: Abuse) =>
      async (isWarmUp: boolean): Promise<Run> => {
        const secondsMax = isWarmUp ? 1 : seconds
        await quiet(db, url, keys.read)
        const alone = await bystanders(secondsMax)
        const begin = await abusive.prepare(jobOf(part, secondsMax + AHEAD_MS / 1_000))
        const abuse = begin()
        await sleep(AHEAD_MS)
        return { alone, abused: await bystanders(secondsMax), abuse: await abuse }
      }
    const abuses = Object.entries(abusesOf(keys)).filter(([name]) => new RegExp(process.env['FAIR_ONLY'] ?? '.').test(name))
    const runs = await interleaved(Object.fromEntries(abuses.map(([name, abuse]) => [name, way(abuse)])), rounds)
    return { claims: abuses.flatMap(([name, abuse]) => claimsOf(name, abuse, runs[name]!)), measured: runs }
  })
}

type Seen = Record<Bystander, LoadResult>

interface Run {
  alone: Seen
  abused: Seen
  abuse: LoadResult
}

async function seenBy(load: LoadProcess, parts: Record<Bystander, Part>, jobOf: (part: Part) => Job): Promise<Seen> {
  const runs = await Promise.all(BYSTANDERS.map((one) => load.prepare(jobOf(parts[one]))))
  const results = await Promise.all(runs.map((run) => run()))
  return Object.fromEntries(BYSTANDERS.map((one, place) => [one, results[place]!])) as Seen
}

/** Resolves when all events are counted, and a read that the abuse may still delay is answered promptly. */
async function quiet(db: Database, url: string, key: string): Promise<void> {
  await waitUntil(() => isSettled(db))
  await waitUntil(async () => {
    const startedMs = performance.now()
    const { ok } = await fetch(`${url}${windowedPaths(1)[0]}`, { headers: { authorization: `Bearer ${key}` } })
    return ok && performance.now() - startedMs < QUIET_MS_MAX
  })
}

function claimsOf(name: string, { same }: Abuse, runs: readonly Run[]): Claim[] {
  const timesOf = (one: Bystander, part: 'p50' | 'p99') =>
    median(runs.map(({ alone, abused }) => abused[one].latency[part] / alone[one].latency[part]))
  const msOf = (one: Bystander, part: 'p50' | 'p99') => {
    const [alone, abused] = (['alone', 'abused'] as const).map((when) => median(runs.map((run) => run[when][one].latency[part])))
    return `${formatted(alone!)} → ${formatted(abused!)}`
  }
  const others = BYSTANDERS.filter((one) => one !== same).toSorted((one, other) => timesOf(other, 'p50') - timesOf(one, 'p50'))
  const [worst] = others as [Bystander]
  const claims: Claim[] = [
    {
      what: `next to ${name}: p50 of a ${worst}, the slowest of ${others.length}, ÷ alone`,
      measured: timesOf(worst, 'p50'),
      target: { max: OTHER_TIMES_MAX },
      detail: `${others.map((one) => `${one} ${msOf(one, 'p50')}`).join(', ')} ms; ${unansweredOf(runs)}`,
    },
  ]
  if (same === undefined) return claims
  const sameDetail = `p50 ${msOf(same, 'p50')} ms, p99 ${msOf(same, 'p99')} ms; the abuse has ${rateOf(runs)}`
  claims.push({
    what: `— p50 of a ${same}, which is of its kind, ÷ alone`,
    measured: timesOf(same, 'p50'),
    target: { max: SAME_TIMES_MAX },
    detail: sameDetail,
  })
  if (name !== ONE_LARGE) return claims
  return [
    ...claims,
    { what: `— its p99 ÷ alone`, measured: timesOf(same, 'p99'), target: { max: OTHER_TIMES_MAX }, detail: sameDetail },
  ]
}

/** The abuse must not starve either. */
function rateOf(runs: readonly Run[]): string {
  const rate = (part: 'events' | 'requests') => formatted(median(runs.map(({ abuse }) => abuse[part] / abuse.seconds)))
  return `${rate('events')} events/s, ${rate('requests')} requests/s`
}

function unansweredOf(runs: readonly Run[]): string {
  const errors = runs.flatMap(({ abused }) => BYSTANDERS.flatMap((one) => Object.values(abused[one].errors)))
  return `${formatted(errors.reduce((sum, count) => sum + count, 0))} of ${formatted(runs.reduce((sum, { abused }) => sum + BYSTANDERS.reduce((all, one) => all + abused[one].requests, 0), 0))} requests not answered with 200`
}
