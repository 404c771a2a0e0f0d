import { expect, test } from 'vitest'
import { createCallGate } from '../../src/gateway/recording/call-gate.ts'
import { createOwnCalls } from '../../src/gateway/recording/own-call.ts'
import { createSendingCallers } from '../../src/gateway/http/sending-callers.ts'
import type { Recorder } from '../../src/ingress/recorder.ts'
import { connect } from '../../src/store/database/connection.ts'

const ANSWER = { accepted: 1, duplicates: 0, duplicate_indexes: [], rejected: [] }
/** A room that is never full. */
const ROOM = { take: async () => ({ sent: async () => undefined, giveBack: () => undefined }) }
const gateOf = (callsMax: number) =>
  createCallGate({
    callsMax,
    callerCallsMax: callsMax,
    sending: createSendingCallers(),
    waitingMax: 100,
    waitMsMax: 60_000,
    bytesMax: 1_000_000,
    onFull: () => expect.unreachable(),
  })

test('a respond-async call waits for the record of an earlier one, and delays no other call', async () => {
  const submitted: string[] = []
  const ends: (() => void)[] = []
  const recorder: Recorder = {
    deadlineMs: 10_000,
    kind: 'interaction',
    submit: async (body) => {
      submitted.push(body.toString())
      return { invocationId: body.toString(), isNew: true }
    },
    submitTo: () => expect.unreachable(),
    record: async (body) => {
      if (!body.toString().startsWith('waits')) await new Promise<void>((resolve) => ends.push(resolve))
      return ANSWER
    },
  }
  const db = connect({ url: 'postgres://127.0.0.1:1/none', name: 'test' })
  const calls = createOwnCalls({ db, recorder, gate: gateOf(2), submitGate: gateOf(2), room: ROOM })
  const answers = ['a', 'b', 'c'].map((name) => calls.submit({ body: Buffer.from(name), key: name, caller: name }))
  expect(await Promise.all(answers.slice(0, 2))).toEqual(['a', 'b'])
  expect(await calls.record({ body: Buffer.from('waits'), key: 'w', caller: 'w' })).toEqual({ answer: ANSWER, isNew: true })
  expect(submitted).toEqual(['a', 'b', 'waits'])
  ends[0]!()
  expect(await answers[2]).toBe('c')
  await db.destroy()
})
