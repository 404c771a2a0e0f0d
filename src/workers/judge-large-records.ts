import { parentPort } from 'node:worker_threads'
import { type JudgedRecords, judgeRecords } from '../admission/judge-records.ts'
import type { KafkaRecord } from '../admission/kafka-record.ts'
import { type RecordMethods, recordWithBytes } from './record-protocol.ts'
import type { ThreadCall } from './thread-calls.ts'

/** The thread that judges batches with large records. */
let batch: readonly KafkaRecord[] = []
let judged: JudgedRecords = { products: [], runs: [], rejected: [] }

const methods = {
  judge: async ({ records, settings }) => {
    batch = records.map(recordWithBytes)
    judged = await judgeRecords(batch, settings)
    return { products: judged.products, runs: judged.runs.length, rejected: judged.rejected.length }
  },

  run: ({ at }) => judged.runs[at]!,

  rejected: ({ from, to }) =>
    judged.rejected.slice(from, to).map(({ record, of, ...rejection }) => {
      return { ...rejection, of: batch.indexOf(of), record: record === of ? undefined : record }
    }),
} satisfies RecordMethods

parentPort!.on('message', ({ method, args }: ThreadCall) => {
  void (async () => parentPort!.postMessage(await methods[method as keyof RecordMethods](args as never)))()
})
