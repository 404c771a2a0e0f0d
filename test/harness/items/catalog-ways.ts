import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { judgeRecords } from '../../../src/admission/judge-records.ts'
import type { KafkaRecord } from '../../../src/admission/kafka-record.ts'
import { products as productRows } from '../../../src/cli/import/mapping/products.ts'
import { ruleOf } from '../../../src/cli/import/mapping/rule.ts'
import { runImport } from '../../../src/cli/import/run.ts'
import { createPositions } from '../../../src/consumer/positions.ts'
import { storeBatch } from '../../../src/consumer/store-batch.ts'
import type { Product } from '../../../src/contract/product.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { FencedError, readOffsets } from '../../../src/store/kafka/offset.ts'
import { createTombstones } from '../../../src/store/log/tombstone.ts'
import { NOON_MS } from './records.ts'

const NEVER = new AbortController().signal
const IGNORED = () => undefined
const KEEP = { ipAddress: 'keep', userAgent: 'keep' } as const

/**
 * Reads records as the consumer does, in batches of so many, until each of them is stored. After another consumer has moved an offset it reads the
 * offsets again, as a new session does.
 */
export async function readRecords(db: Database, records: readonly KafkaRecord[], batchRecords: number): Promise<void> {
  const partitions = [...new Map(records.map(({ topic, partition }) => [`${topic}/${partition}`, { topic, partition }])).values()]
  while (true) {
    const positions = createPositions()
    positions.assign(
      await readOffsets(
        db,
        partitions.map((of) => ({ ...of, next: 0n })),
      ),
    )
    const left = records.filter(positions.isNew)
    if (left.length === 0) return
    const deps = {
      ...{ db, positions, privacy: KEEP, tombstones: createTombstones(undefined), fanOut: IGNORED },
      judge: (some: readonly KafkaRecord[]) => judgeRecords(some, { nowMs: NOON_MS, currency: 'EUR', privacy: KEEP }),
      observer: { stored: IGNORED, failed: IGNORED, setAside: IGNORED },
      retry: { firstMs: 1, maxMs: 2, retriesMax: 2 },
    }
    try {
      for (let at = 0; at < left.length; at += batchRecords) {
        await storeBatch(deps, left.slice(at, at + batchRecords), NEVER)
      }
    } catch (error) {
      if (!(error instanceof FencedError)) throw error
    }
  }
}

const COLUMNS = [
  'product_id',
  'seller_id',
  'name',
  'category',
  'price',
  'currency',
  'quantity',
  'status',
  'updated_at',
] as const satisfies (keyof Product)[]
const SILENT = { report: IGNORED, counting: IGNORED, stalled: IGNORED, stop: IGNORED }

/** Imports products from a file of a name of its own in the folder, three rows at a time. @returns how many rows were rejected. */
export async function importProducts(
  ingressUrl: string,
  folder: string,
  name: string,
  products: readonly Product[],
): Promise<number> {
  const path = join(folder, `${name}.csv`)
  const line = (product: Product) => COLUMNS.map((column) => String(product[column] ?? '')).join(',')
  await writeFile(path, [COLUMNS.join(','), ...products.map(line)].join('\n'))
  const kind = productRows({ priceDecimals: undefined })
  const [tally] = await runImport(
    {
      ...{ kind, paths: [path], form: {}, values: new Map(), time: { offsetMinutes: 0 }, mayMissColumns: false, ingressUrl },
      rules: COLUMNS.map((column) => ruleOf('map', `${column}=${column}`, kind)),
      ...{ batchRows: 3, inFlightMax: 2, patienceMs: 30_000, rejectedPath: join(folder, `${name}.rejected`) },
    },
    SILENT,
  )
  return tally!.rejected
}
