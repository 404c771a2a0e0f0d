import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createHistoryBuilder } from '../../../src/ranking/similarity/histories.ts'
import { SIMILARITY_DEFAULTS } from '../../../src/ranking/similarity/settings.ts'
import { countSimilarity } from '../../../src/workers/similarity-pool.ts'
import { eachEvent, PRODUCTS } from '../items/similarity-events.ts'

/** What one process measured. */
export interface SimilarityRun {
  events: number
  countingEvents: number
  /** Of the histories from the events, in one thread. */
  prepareSeconds: number
  seconds: number
  /** Of all threads of the process, while it counts. */
  cpuSeconds: number
  /** The highest resident set size of the process, with its events. */
  megabytes: number
  /** Of all rows. */
  sha256: string
}

/** similarity-process.ts EVENTS THREADS [FILE]: counts a matrix, and writes the histories to a file for another program. */
const [events, threads, file] = [Number(process.argv[2]), Number(process.argv[3]), process.argv[4]]
const builder = createHistoryBuilder('oldest first', SIMILARITY_DEFAULTS)
eachEvent(events, builder.add)
const preparedAt = performance.now()
const histories = builder.finish(PRODUCTS)
const prepareSeconds = (performance.now() - preparedAt) / 1_000
if (file !== undefined) {
  const header = Int32Array.of(histories.shoppers, histories.events)
  writeFileSync(file, Buffer.concat([header, histories.start, histories.product].map((array) => Buffer.from(array.buffer))))
}
const startedAt = performance.now()
const before = process.cpuUsage()
const matrix = await countSimilarity(histories, SIMILARITY_DEFAULTS, { threads })
const { user, system } = process.cpuUsage(before)
const run: SimilarityRun = {
  events,
  countingEvents: histories.sources.length,
  prepareSeconds,
  seconds: (performance.now() - startedAt) / 1_000,
  cpuSeconds: (user + system) / 1_000_000,
  megabytes: (process.resourceUsage().maxRSS * 1_024) / 1_000_000,
  sha256: createHash('sha256')
    .update(Buffer.from(matrix.neighbour.buffer))
    .update(Buffer.from(matrix.score.buffer))
    .update(Buffer.from(matrix.count.buffer))
    .digest('hex'),
}
process.stdout.write(JSON.stringify(run))
