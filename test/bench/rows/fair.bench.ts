import { setPriority } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../../../src/store/database/connection.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import type { Job } from '../client/job.ts'
import { type LoadProcess, startLoad } from '../client/start-load.ts'
import { type Abuse, abusesOf } from '../items/fair-abuses.ts'
import { type Bystander, BYSTANDERS, bystandersOf, type Part } from '../items/fair-bystanders.ts'
import { fairKeys, PAYMENT_SECRET, storeFairData } from '../items/fair-data.ts'
import { windowedPaths } from '../items/fair-paths.ts'
import type { RowResult } from '../measure/claim.ts'
import { claimsOf, type FairRun, type Seen } from '../measure/fair-claims.ts'
import { isSettled, waitUntil } from '../measure/settled.ts'
import { startBenchGateway } from '../servers/bench-gateway.ts'
import { idle } from '../servers/bench-restate.ts'
import { withServers } from '../servers/bench-stack.ts'
import { paymentSecretFile } from '../servers/payment-secret.ts'

/** Seconds are of the bystanders' requests, once alone and once with the abuse. */
const FULL = { data: { products: 20_000, rows: 1_000_000 }, warmUpSeconds: 6, seconds: 1.8, rounds: 3 }
const QUICK = { data: { products: 5_000, rows: 100_000 }, warmUpSeconds: 2, seconds: 1.2, rounds: 1 }
/** The abuse begins so long before the requests of bystanders, so that much of it waits already. */
const AHEAD_MS = 700
const QUIET_MS_MAX = 500
/** The abusive caller would be another machine, so its processor time should not be that of the servers. */
const ABUSIVE_NICENESS = 5

/** How much longer bystanders wait while one key is abused, against the time immediately before. `only` selects abuses by name. */
export function fair(isQuick: boolean, only: RegExp): Promise<RowResult> {
  const { data, warmUpSeconds, seconds, rounds } = isQuick ? QUICK : FULL
  return withServers(async ({ postgres, restate, endpoint, load }, stopAtEnd) => {
    const { db, url: databaseUrl, drop } = await createDatabase(postgres.url)
    stopAtEnd({ stop: () => endpoint.use(null).then(drop) })
    await storeFairData(db, data)
    const keys = await fairKeys(db)
    await endpoint.use(databaseUrl)
    const settings = { PAYMENT_SECRET_FILE: paymentSecretFile(PAYMENT_SECRET, stopAtEnd) }
    const { url } = stopAtEnd(await startBenchGateway({ databaseUrl, restate, settings }))
    const abusive = stopAtEnd(startLoad())
    setPriority(abusive.pid, ABUSIVE_NICENESS)

    const jobOf = ({ path = '', ...part }: Part, secondsMax: number) =>
      ({ ...part, url: url + path, secondsMax, areErrorsCounted: true }) as Job
    const bystanders = (secondsMax: number) => seenBy(load, bystandersOf(keys, data.products), (part) => jobOf(part, secondsMax))
    const run = async ({ part, times = 1 }: Abuse): Promise<FairRun> => {
      await idle(restate.adminUrl)
      await quiet(db, url, keys.windowed)
      const alone = await bystanders(seconds * times)
      const begin = await abusive.prepare(jobOf(part, seconds * times + AHEAD_MS / 1_000))
      const abuse = begin()
      await sleep(AHEAD_MS)
      return { alone, abused: await bystanders(seconds * times), abuse: await abuse }
    }
    await bystanders(warmUpSeconds)
    const abuses = Object.entries(abusesOf(keys)).filter(([name]) => only.test(name))
    const runs = Object.fromEntries(abuses.map(([name]) => [name, [] as FairRun[]]))
    for (let round = 0; round < rounds; round++) {
      for (const [name, abuse] of abuses) runs[name]!.push(await run(abuse))
    }
    return { claims: abuses.flatMap(([name, abuse]) => claimsOf(name, abuse, runs[name]!)), measured: runs }
  })
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
