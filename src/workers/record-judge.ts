import { type JudgedRecords, judgeRecords, type JudgeSettings, JudgingError } from '../admission/judge-records.ts'
import type { KafkaRecord } from '../admission/kafka-record.ts'
import { bytesOf, type RecordMethods, recordWithBytes } from './record-protocol.ts'
import { startThread, type Thread } from './thread-calls.ts'

export interface RecordJudgeOptions {
  /** Of each batch, at the time when it is judged. */
  settings: () => JudgeSettings
  /** How long a batch may take in the thread, which is then ended. */
  jobMsMax?: number
  /** How long the thread stays without work. */
  idleMs?: number
}

export interface RecordJudge {
  /** Checks records in their order, each alone. @throws JudgingError when the thread does not finish. */
  judge: (records: readonly KafkaRecord[]) => Promise<JudgedRecords>
  stop: () => Promise<void>
}

/**
 * A batch with a larger value goes to the thread. 32 KiB of interactions are judged in 7 ms, and 32 KiB of empty lists in 5 ms; a list of 10,000
 * interactions takes 230 ms, and 4 MB of empty lists 550 ms. A batch of 100 small product events takes 1 ms, and less than its way to a thread
 * and back.
 */
const LARGE_BYTES = 32 * 1024
const JOB_MS_MAX = 30_000
/** A thread takes 35 MB, and 0.3 s to start. */
const IDLE_MS = 60_000
/** The slowest value of 4 MB takes 120 MB. */
const HEAP_MEGABYTES_MAX = 512
/** What comes back at a time. */
const REJECTED_MAX = 250

const ENTRY = new URL('judge-large-records.ts', import.meta.url)

/** Judges records, in a thread where that would hold the event loop. */
export function createRecordJudge({ settings, jobMsMax = JOB_MS_MAX, idleMs = IDLE_MS }: RecordJudgeOptions): RecordJudge {
  let thread: Thread<RecordMethods> | undefined
  let last: Promise<unknown> = Promise.resolve()
  let idle: NodeJS.Timeout | undefined

  const stop = async () => {
    clearTimeout(idle)
    const stopped = thread
    thread = undefined
    await stopped?.stop()
  }

  const judgeInThread = async (records: readonly KafkaRecord[]): Promise<JudgedRecords> => {
    clearTimeout(idle)
    thread ??= startThread<RecordMethods>(ENTRY, 'records', { heapMegabytesMax: HEAP_MEGABYTES_MAX })
    const late = setTimeout(() => void stop(), jobMsMax)
    try {
      return await handOver(thread, records, settings())
    } catch (cause) {
      await stop()
      throw new JudgingError(`a batch could not be checked within ${jobMsMax / 1_000} s, or within its memory`, { cause })
    } finally {
      clearTimeout(late)
      idle = setTimeout(() => void stop(), idleMs).unref()
    }
  }

  return {
    judge: (records) => {
      if (!records.some(({ value }) => value !== null && value.length > LARGE_BYTES)) return judgeRecords(records, settings())
      // The thread has one batch at a time.
      const judged = last.then(() => judgeInThread(records))
      last = judged.catch(() => undefined)
      return judged
    },
    stop,
  }
}

async function handOver(
  thread: Thread<RecordMethods>,
  records: readonly KafkaRecord[],
  settings: JudgeSettings,
): Promise<JudgedRecords> {
  const copies = records.map(copyOf)
  const buffers = copies.flatMap(({ value }) => (value === null ? [] : [value.buffer as ArrayBuffer]))
  const found = await thread.call('judge', { records: copies, settings }, buffers)
  const judged: JudgedRecords = { products: found.products, runs: [], rejected: [] }
  for (let at = 0; at < found.runs; at++) {
    const run = await thread.call('run', { at })
    judged.runs.push({ ...run, sha256: bytesOf(run.sha256) })
  }
  for (let from = 0; from < found.rejected; from += REJECTED_MAX) {
    const some = await thread.call('rejected', { from, to: from + REJECTED_MAX })
    for (const { of: at, record, ...rejection } of some) {
      const of = records[at]!
      judged.rejected.push({ ...rejection, of, record: record === undefined ? of : recordWithBytes(record) })
    }
  }
  return judged
}

/** Its bytes are often a part of what was fetched, which would be copied as a whole. */
function copyOf(record: KafkaRecord): KafkaRecord {
  const own = (bytes: Buffer | null) => bytes && (new Uint8Array(bytes) as Buffer)
  const headers = record.headers.map(([name, value]) => [name, own(value)] as const)
  return { ...record, key: own(record.key), value: own(record.value), headers }
}
