import { setTimeout as sleep } from 'node:timers/promises'
import { createDatabase } from '../../harness/servers/database.ts'
import type { LoadResult } from '../client/job.ts'
import { formatted, type RowResult } from '../measure/claim.ts'
import { watchedDuring } from '../measure/health.ts'
import { memoryOf } from '../measure/process-memory.ts'
import { startBenchGateway } from '../servers/bench-gateway.ts'
import { withServers } from '../servers/bench-stack.ts'

/** The thread of large bodies ends after a minute. */
const FULL = { bodies: 100, quietMs: 90_000 }
const QUICK = { bodies: 10, quietMs: 1_000 }
const BODY_MEGABYTES = 15
const SINGLES = { connections: 16, seconds: 20 }
const MEBIBYTES_MAX = 900
const MEGABYTES_PER_MEBIBYTE = 1.048576

/** Valid bodies of 15 MB at the same time: their answers, the memory of the gateway, and how long other requests wait. */
export function large(isQuick: boolean): Promise<RowResult> {
  const { bodies, quietMs } = isQuick ? QUICK : FULL
  return withServers(async ({ postgres, restate, endpoint, load }, stopAtEnd) => {
    const { url: databaseUrl, drop } = await createDatabase(postgres.url)
    stopAtEnd({ stop: async () => endpoint.use(null).then(drop) })
    await endpoint.use(databaseUrl)
    const gateway = stopAtEnd(await startBenchGateway({ databaseUrl, restate }))
    const url = `${gateway.url}/api/v1/analytic/interaction`
    const single = { kind: 'ingest', url, requestEvents: 1, connections: SINGLES.connections } as const
    const warmUp = await load.prepare({ ...single, secondsMax: isQuick ? 1 : 5 })
    const undisturbed = await warmUp()
    const before = await memoryOf(gateway.pid)
    const [goLarge, goSingles] = await Promise.all([
      load.prepare({
        kind: 'large',
        url,
        connections: bodies,
        bodyMegabytes: BODY_MEGABYTES,
        secondsMax: 0,
        areErrorsCounted: true,
      }),
      load.prepare({ ...single, secondsMax: isQuick ? 5 : SINGLES.seconds }),
    ])
    let results: LoadResult[] = []
    const { health, memoryMax } = await watchedDuring(gateway, async () => {
      results = await Promise.all([goLarge(), goSingles()])
    })
    const [{ errors: statuses, latency }, singles] = results as [LoadResult, LoadResult]
    await sleep(quietMs)
    const after = await memoryOf(gateway.pid)
    const mebibytes = (megabytes: number) => Math.round(megabytes / MEGABYTES_PER_MEBIBYTE)
    const answered = (statuses['200'] ?? 0) + (statuses['503'] ?? 0)
    return {
      claims: [
        {
          what: `${formatted(bodies)} valid bodies of ${BODY_MEGABYTES} MB at the same time: answered 200 or 503`,
          measured: answered / bodies,
          target: { min: 1 },
          detail: `${formatted(statuses['200'] ?? 0)} of them 200; the last answer after ${formatted(latency.max / 1_000)} s`,
        },
        {
          what: '— memory of the gateway, the maximum',
          measured: mebibytes(memoryMax),
          unit: 'MiB',
          target: { max: MEBIBYTES_MAX },
          detail: `${formatted(mebibytes(before))} MiB before`,
        },
        {
          what: `— ${formatted(quietMs / 1_000)} s later ÷ before`,
          measured: after / before,
          ...(isQuick ? {} : { target: { max: 1.3 } }),
          detail: `${formatted(mebibytes(after))} MiB`,
        },
        {
          what: '— `/health` meanwhile, p99',
          measured: health.p99,
          unit: 'ms',
          detail: `p50 ${formatted(health.p50)} ms, the longest ${formatted(health.max)} ms`,
        },
        {
          what: `— single events of ${SINGLES.connections} connections meanwhile, p99`,
          measured: singles.latency.p99,
          unit: 'ms',
          detail: `p50 ${formatted(singles.latency.p50)} ms; undisturbed ${formatted(undisturbed.latency.p50)} and ${formatted(undisturbed.latency.p99)} ms`,
        },
      ],
      measured: {
        statuses,
        latency,
        health,
        singles: singles.latency,
        undisturbed: undisturbed.latency,
        before,
        memoryMax,
        after,
      },
    }
  })
}
