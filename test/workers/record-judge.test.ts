import { afterEach, expect, test } from 'vitest'
import { judgeRecords, type JudgeSettings, JudgingError } from '../../src/admission/judge-records.ts'
import type { KafkaRecord } from '../../src/admission/kafka-record.ts'
import { createRecordJudge, type RecordJudge } from '../../src/workers/record-judge.ts'
import { NOON_MS, productEvent, recordOf } from '../harness/items/records.ts'

const settings = (): JudgeSettings => ({
  nowMs: NOON_MS + 60_000,
  currency: 'EUR',
  privacy: { ipAddress: 'drop', userAgent: 'drop' },
})

const started: RecordJudge[] = []
afterEach(() => Promise.all(started.splice(0).map(({ stop }) => stop())))
function judgeWith(changes: { jobMsMax?: number; idleMs?: number } = {}) {
  const judge = createRecordJudge({ settings, ...changes })
  started.push(judge)
  return judge.judge
}

const view = (n: number) => ({
  session_id: `s-${n}`,
  event_type: n % 7 === 0 ? 'No!' : 'view',
  ref_type: 'Product',
  ref_id: `p-${n}`,
  ip_address: '203.0.113.9',
})
const list = (count: number, offset: bigint) => {
  const interactions = Array.from({ length: count }, (_, n) => view(n))
  return recordOf({ interactions }, { kind: 'interaction', offset })
}
const described = (bytes: number, offset = 0n) => recordOf(productEvent({ description: 'x'.repeat(bytes) }), { offset })
const EMPTY_LISTS = Array.from({ length: 300_000 }, () => [])

test('a batch with large records is judged as it is without a thread', async () => {
  // As of a broker, the bytes of a record are a part of a larger buffer.
  const within = (record: KafkaRecord): KafkaRecord => {
    const value = Buffer.concat([Buffer.from('before'), record.value!, Buffer.from('after')]).subarray(6, -5)
    return { ...record, value }
  }
  const records = [
    within(described(1024 * 1024)),
    recordOf(null, { offset: 1n }),
    within(recordOf(Buffer.from('{"half'), { offset: 2n, key: Buffer.from([0xff]), headers: [['h', Buffer.from('v')]] })),
    within(list(1_400, 3n)),
    recordOf({ ...view(7), user_agent: 'Firefox' }, { kind: 'interaction', offset: 4n }),
    recordOf(view(1), { kind: 'interaction', offset: 5n }),
    described(100_000, 6n),
  ]
  const judged = await judgeWith()(records)
  expect(judged).toEqual(await judgeRecords(records, settings()))
  expect(judged.runs.map(({ first, last, from, rows }) => [first, last, from, rows.length])).toEqual([
    [3n, 3n, 0, 500],
    [3n, 3n, 500, 500],
    [3n, 5n, 1_000, 201],
  ])
  expect(judged.rejected).toHaveLength(200 + 3)
  for (const { of } of judged.rejected) expect(records).toContain(of)
})

test('other work runs while a large record is judged', async () => {
  const judge = judgeWith()
  let turns = 0
  const turn = setInterval(() => turns++, 1)
  await judge([recordOf(productEvent({ changes: EMPTY_LISTS }))])
  clearInterval(turn)
  expect(turns).toBeGreaterThan(5)
})

test('batches wait for each other, and small ones do not', async () => {
  const judge = judgeWith()
  const order: string[] = []
  const as = (name: string, records: KafkaRecord[]) => judge(records).then(() => order.push(name))
  await Promise.all([
    as('first', [described(500_000)]),
    as('second', [described(100_000)]),
    as('small', [recordOf(productEvent())]),
  ])
  expect(order).toEqual(['small', 'first', 'second'])
})

test('a batch that takes too long is an error, and the next one gets a new thread', async () => {
  const judge = judgeWith({ jobMsMax: 1 })
  await expect(judge([described(1024 * 1024)])).rejects.toThrow(JudgingError)
  const patient = judgeWith({ idleMs: 1 })
  for (const _time of [1, 2]) {
    expect((await patient([described(1024 * 1024)])).products).toHaveLength(1)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
})
