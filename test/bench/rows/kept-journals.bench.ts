import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { throughIngress, timed } from '../ingest/ingest-ways.ts'
import { dayOfTraffic } from '../items/events.ts'
import { type Claim, claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import { cpuSecondsBetween, cpuSecondsOf } from '../measure/process-cpu.ts'
import { interleaved, median, ratioOf, series } from '../measure/rounds.ts'
import { startBenchPostgres } from '../servers/bench-postgres.ts'
import { startBenchRestate } from '../servers/bench-restate.ts'
import { POOL_CONNECTIONS, withParts } from '../servers/bench-stack.ts'

const FULL = { events: 200_000, rounds: 5 }
const QUICK = { events: 10_000, rounds: 1 }
const IN_FLIGHT = 32
/** As in the cluster profile. */
const JOURNAL_MINUTES = 15

interface Run {
  perSecond: number
  /** Microseconds of Restate's processor per event. */
  cpuMicros: number
  /** By which Restate's folder grew, per event. */
  bytes: number
}

/** What it costs that Restate keeps the journals of completed calls, which `reconcile` brings lost ones back from. */
export function keptJournals(isQuick: boolean): Promise<RowResult> {
  const { events, rounds } = isQuick ? QUICK : FULL
  return withParts(async (stopAtEnd) => {
    const postgres = stopAtEnd(await startBenchPostgres())
    const items = dayOfTraffic(events)
    const way = async (journalMinutes: number) => {
      const restate = stopAtEnd(await startBenchRestate())
      const endpoint = await restate.serve('footfall', POOL_CONNECTIONS, journalMinutes)
      let runs = 0
      return async (isWarmUp: boolean): Promise<Run> => {
        const sent = isWarmUp ? items.slice(0, events / 10) : items
        const before = { cpu: await cpuSecondsOf([restate.pid]), bytes: await bytesIn(restate.folder) }
        const ingress = throughIngress({ url: restate.ingressUrl, endpoint, width: IN_FLIGHT }, sent.length)
        const seconds = await timed(postgres, ingress, { name: `${journalMinutes} minutes, run ${runs++}`, items: sent })
        const cpuSeconds = cpuSecondsBetween(before.cpu, await cpuSecondsOf([restate.pid]))
        return {
          perSecond: sent.length / seconds,
          cpuMicros: (cpuSeconds * 1_000_000) / sent.length,
          bytes: ((await bytesIn(restate.folder)) - before.bytes) / sent.length,
        }
      }
    }
    const runs = await interleaved({ kept: await way(JOURNAL_MINUTES), forgotten: await way(0) }, rounds)
    return { claims: claimsOfRounds(runs, claimsOf), measured: runs }
  })
}

function claimsOf({ kept, forgotten }: Record<'kept' | 'forgotten', Run[]>): Claim[] {
  const of = (runs: readonly Run[]) =>
    `${formatted(Math.round(median(series(runs, (run) => run.perSecond))))} events/s, ${formatted(median(series(runs, (run) => run.cpuMicros)))} µs of Restate per event`
  return [
    {
      what: `requests of 1,000 events through the ingress, journals kept for ${JOURNAL_MINUTES} minutes ÷ not kept`,
      measured: ratioOf(
        series(kept, (run) => run.perSecond),
        series(forgotten, (run) => run.perSecond),
      ),
      detail: `${of(kept)} against ${of(forgotten)}`,
    },
    {
      what: '— by which the folder of Restate grows per event',
      measured: median(series(kept, (run) => run.bytes)),
      unit: 'bytes',
      detail: `${formatted(median(series(forgotten, (run) => run.bytes)))} when they are not kept; Restate writes its log and its state, and gives space back later`,
    },
  ]
}

async function bytesIn(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const sizes = await Promise.all(
    files.map(({ parentPath, name }) =>
      stat(join(parentPath, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
