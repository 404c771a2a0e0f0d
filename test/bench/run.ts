import { parseArgs } from 'node:util'
import { archive } from './rows/archive.bench.ts'
import { batches } from './rows/batches.bench.ts'
import { bytes } from './rows/bytes.bench.ts'
import { bytesOfMonths } from './rows/bytes-of-months.bench.ts'
import { catalogSearch } from './rows/catalog-search.bench.ts'
import { cachedTop } from './rows/cached-top.bench.ts'
import { type Claim, formatted, printClaims, type RowResult } from './measure/claim.ts'
import { beforeOf, committedTable, isHalved, movedText } from './measure/committed.ts'
import { compose } from './rows/compose.bench.ts'
import { cpu } from './rows/cpu.bench.ts'
import { duplicates } from './rows/duplicates.bench.ts'
import { events } from './rows/events.bench.ts'
import { fair } from './rows/fair.bench.ts'
import { afterGrowth } from './rows/after-growth.bench.ts'
import { afterLongGrowth } from './rows/after-long-growth.bench.ts'
import { client } from './rows/client.bench.ts'
import { gatewayProcesses } from './rows/gateway-processes.bench.ts'
import { guard } from './rows/guard.bench.ts'
import { ingest } from './rows/ingest.bench.ts'
import { insight } from './rows/insight.bench.ts'
import { kafka } from './rows/kafka.bench.ts'
import { keptJournals } from './rows/kept-journals.bench.ts'
import { large } from './rows/large.bench.ts'
import { machine } from './measure/machine.ts'
import { liveMemory } from './rows/live-memory.bench.ts'
import { memory } from './rows/memory.bench.ts'
import { one } from './rows/one.bench.ts'
import { saveRow, writePage } from './measure/results.ts'
import { payments } from './rows/payments.bench.ts'
import { productMetrics } from './rows/product-metrics.bench.ts'
import { pages } from './rows/pages.bench.ts'
import { popular } from './rows/popular.bench.ts'
import { preferences } from './rows/preferences.bench.ts'
import { processes } from './rows/processes.bench.ts'
import { recent } from './rows/recent.bench.ts'
import { recommend } from './rows/recommend.bench.ts'
import { recompute } from './rows/recompute.bench.ts'
import { refresh } from './rows/refresh.bench.ts'
import { reports } from './rows/reports.bench.ts'
import { rerank } from './rows/rerank.bench.ts'
import { retention } from './rows/retention.bench.ts'
import { seller } from './rows/seller.bench.ts'
import { similar } from './rows/similar.bench.ts'
import { similarity } from './rows/similarity.bench.ts'
import { similarityReads } from './rows/similarity-reads.bench.ts'
import { singles } from './rows/singles.bench.ts'
import { stopLargeShops } from './items/large-shop.ts'
import { standbyReads } from './rows/standby-reads.bench.ts'
import { synchronousCommit } from './rows/synchronous-commit.bench.ts'
import { stalled } from './rows/stalled.bench.ts'
import { startMemory } from './rows/start-memory.bench.ts'
import { top } from './rows/top.bench.ts'
import { track } from './rows/track.bench.ts'
import { wal } from './rows/wal.bench.ts'
import { windows } from './rows/windows.bench.ts'

/** Every row by its name. A quick run shows that a row works; its numbers do not go into docs/benchmarks.md. */
const ROWS: Record<string, (isQuick: boolean, only: RegExp) => Promise<RowResult>> = {
  ingest,
  bytes,
  'bytes-of-months': bytesOfMonths,
  wal,
  singles,
  track,
  'live-memory': liveMemory,
  one,
  batches,
  cpu,
  top,
  'cached-top': cachedTop,
  popular,
  'catalog-search': catalogSearch,
  pages,
  windows,
  insight,
  seller,
  recent,
  preferences,
  rerank,
  similarity,
  'similarity-reads': similarityReads,
  similar,
  recommend,
  kafka,
  'product-metrics': productMetrics,
  recompute,
  refresh,
  retention,
  archive,
  'after-growth': afterGrowth,
  'after-long-growth': afterLongGrowth,
  payments,
  duplicates,
  events,
  fair,
  reports,
  memory,
  'start-memory': startMemory,
  stalled,
  large,
  processes,
  'gateway-processes': gatewayProcesses,
  'standby-reads': standbyReads,
  'synchronous-commit': synchronousCommit,
  'kept-journals': keptJournals,
  compose,
  client,
  guard,
}

/** Short rows, one of each way in and of reading, whose ratios do not depend on how much is stored. */
const GUARDED = ['ingest', 'batches', 'top', 'events']

/** These run only when they are named, because one needs Docker, and the other takes three quarters of an hour. */
const NAMED_ONLY = new Set(['compose', 'after-long-growth'])

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    guard: { type: 'boolean', default: false },
  },
})
/** A run that is quick, or of a part of a row, does not go into docs/benchmarks.md. */
const isQuick = values.quick || values.only !== ''
const unknown = positionals.filter((name) => !(name in ROWS))
if (unknown.length > 0) {
  console.error(`There is no row ${unknown.join(', ')}; there are ${Object.keys(ROWS).join(', ')}.`)
  process.exit(1)
}
const names = positionals.length > 0 ? positionals : Object.keys(ROWS).filter((name) => !NAMED_ONLY.has(name))
const committed = committedTable()
try {
  if (values.guard) await guardRatios()
  else for (const row of names) await runRow(row)
} finally {
  await stopLargeShops()
}

async function runRow(row: string): Promise<void> {
  const startMs = performance.now()
  const result = await ROWS[row]!(values.quick, new RegExp(values.only))
  printClaims(row, result.claims, (claim, place) => movedText(claim, beforeOf(committed, row, claim, place)))
  const file = await saveRow({ row, at: new Date().toISOString(), isQuick, machine: machine(), result })
  console.log(`${row}: ${Math.round((performance.now() - startMs) / 1_000)} s, written to ${file}\n`)
  if (!isQuick) await writePage(Object.keys(ROWS))
}

/** Fails when a ratio of a quick run is less than half as good as the table says, also when it is measured again. */
async function guardRatios(): Promise<void> {
  for (const row of GUARDED) {
    const fallen = await fallenRatios(row)
    const again = fallen.length === 0 ? [] : await fallenRatios(row)
    if (again.length > 0) process.exitCode = 1
    for (const { what, measured } of again)
      console.error(`${row}: ${what}: ${formatted(measured)}, less than half as good as in docs/benchmarks.md`)
  }
  if (process.exitCode !== 1) console.log(`No ratio of ${GUARDED.join(', ')} is less than half as good as in docs/benchmarks.md.`)
}

async function fallenRatios(row: string): Promise<Claim[]> {
  const { claims } = await ROWS[row]!(true, new RegExp(''))
  printClaims(row, claims, () => undefined)
  return claims.filter((claim, place) => isHalved(claim, committed.get(row)?.[place]?.measured))
}
