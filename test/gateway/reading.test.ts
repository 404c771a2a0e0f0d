import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { TaskCaller } from '../../src/gateway/http/caller-shares.ts'
import { createReadLine, type ReadLineOptions } from '../../src/gateway/caching/read-line.ts'
import { createCallerShares } from '../../src/gateway/http/caller-shares.ts'
import { createReadSource } from '../../src/gateway/standbys/read-source.ts'
import { connect } from '../../src/store/database/connection.ts'
import { watched } from '../harness/watched.ts'

interface Begun {
  question: string
  end: PromiseWithResolvers<string>
}

const by = (id: string, signal?: AbortSignal): TaskCaller => ({ id, hasShare: true, signal })
const shop = by('shop')

/** A line whose reads end when the test ends them; they use no connection. */
function lineOf(changes: Partial<ReadLineOptions> & { joinMs?: number } = {}) {
  const { joinMs = 0, ...limits } = changes
  const begun: Begun[] = []
  const db = connect({ url: 'postgres://127.0.0.1:1/none', name: 'test' })
  const line = createReadLine({
    source: createReadSource(db, undefined, () => undefined),
    runningMax: 10,
    waitingMax: 100,
    callerWaitingMax: 100,
    waitMsMax: 60_000,
    shares: createCallerShares(10),
    ...limits,
  })
  const read = (question: string) => {
    const end = Promise.withResolvers<string>()
    begun.push({ question, end })
    return end.promise
  }
  const shared = line.shared({ read: (_db, question: string) => read(question), keyOf: (question) => question, joinMs })
  return {
    begun,
    ask: (question: string, reader = shop) => watched(shared(question, reader)),
    alone: (question: string, reader = shop) => watched(line.read(reader, () => read(question))),
    questions: () => begun.map(({ question }) => question),
  }
}

test('callers that come during a read share the next one', async () => {
  const { begun, ask } = lineOf()
  const first = ask('a')
  const later = [ask('a'), ask('a', by('other')), ask('a')]
  expect(begun).toHaveLength(1)
  begun[0]!.end.resolve('old')
  expect(await first).toBe('old')
  await turn()
  const last = ask('a')
  expect(begun).toHaveLength(2)
  begun[1]!.end.resolve('new')
  expect(await Promise.all(later)).toEqual(['new', 'new', 'new'])
  // The last caller came after the start of the second read.
  await turn()
  expect(begun).toHaveLength(3)
  begun[2]!.end.resolve('newest')
  expect(await last).toBe('newest')
})

test('callers that come soon after the start of a read share it, where that is allowed', async () => {
  const { begun, ask } = lineOf({ joinMs: 60_000 })
  const answers = [ask('a'), ask('a', by('other'))]
  expect(begun).toHaveLength(1)
  begun[0]!.end.resolve('read')
  expect(await Promise.all(answers)).toEqual(['read', 'read'])
})

test('different questions are read concurrently', () => {
  const { ask, questions } = lineOf()
  void ask('a')
  void ask('b')
  expect(questions()).toEqual(['a', 'b'])
})

test('a failed read fails only the callers that waited for it', async () => {
  const { begun, ask } = lineOf()
  const first = ask('a')
  const second = ask('a')
  begun[0]!.end.reject(new Error('away'))
  await expect(first).rejects.toThrow('away')
  await turn()
  begun[1]!.end.resolve('back')
  expect(await second).toBe('back')
})

test('an answer is not kept after its read', async () => {
  const { begun, ask } = lineOf()
  const first = ask('a')
  begun[0]!.end.resolve('old')
  expect(await first).toBe('old')
  await turn()
  const second = ask('a')
  begun[1]!.end.resolve('new')
  expect(await second).toBe('new')
})

test('a caller does not wait behind the other reads of a caller with the same question', async () => {
  const { begun, ask, questions } = lineOf({ runningMax: 2, shares: createCallerShares(1) })
  for (const question of ['f1', 'f2', 'f3', 'common']) void ask(question, by('flooding'))
  expect(questions()).toEqual(['f1'])
  const answer = ask('common', by('a'))
  expect(questions()).toEqual(['f1', 'common'])
  begun[1]!.end.resolve('read')
  expect(await answer).toBe('read')
  begun[0]!.end.resolve('read')
  await turn()
  // The other caller has its answer from this read.
  expect(questions()).toEqual(['f1', 'common', 'f2'])
})

test('a read that waits too long, and one that finds too many waiting, are answered 503', async () => {
  const { alone, ask } = lineOf({ runningMax: 1, callerWaitingMax: 2, waitMsMax: 10 })
  void alone('runs')
  const reads = [ask('late'), alone('late too'), alone('too many')]
  await Promise.all(reads.map((read) => expect(read).rejects.toMatchObject({ code: 'unavailable' })))
})

test('the time of a read that has begun is not limited by the line', async () => {
  const { begun, ask } = lineOf({ waitMsMax: 1 })
  const answer = ask('a')
  await new Promise((resolve) => setTimeout(resolve, 20))
  begun[0]!.end.resolve('read')
  expect(await answer).toBe('read')
})

test('a caller that hangs up leaves the line', async () => {
  const { begun, ask, alone, questions } = lineOf({ runningMax: 1 })
  const [gone, runs] = [new AbortController(), ask('runs')]
  const left = [alone('left', by('gone', gone.signal)), ask('left too', by('gone', gone.signal))]
  const next = ask('next')
  gone.abort(new Error('hung up'))
  await Promise.all(left.map((read) => expect(read).rejects.toThrow('hung up')))
  begun[0]!.end.resolve('read')
  expect(await runs).toBe('read')
  await turn()
  expect(questions()).toEqual(['runs', 'next'])
  begun[1]!.end.resolve('read')
  expect(await next).toBe('read')
})

test('a caller that hung up before its read is not read for', async () => {
  const { questions, ask } = lineOf()
  await expect(ask('a', by('gone', AbortSignal.abort(new Error('hung up'))))).rejects.toThrow('hung up')
  expect(questions()).toEqual([])
})

test('a shared read goes on when one of its callers hangs up', async () => {
  const { begun, ask } = lineOf({ joinMs: 60_000 })
  const [first, second] = [new AbortController(), new AbortController()]
  const answers = [ask('a', by('first', first.signal)), ask('a', by('second', second.signal))]
  first.abort(new Error('hung up'))
  await expect(answers[0]).rejects.toThrow('hung up')
  begun[0]!.end.resolve('read')
  expect(await answers[1]).toBe('read')
})

test('a read that every caller has left is not joined, and keeps its place until it has ended', async () => {
  const { begun, ask, questions } = lineOf({ joinMs: 60_000, runningMax: 1 })
  const gone = new AbortController()
  const left = ask('a', by('gone', gone.signal))
  gone.abort(new Error('hung up'))
  await expect(left).rejects.toThrow('hung up')
  const answer = ask('a')
  expect(questions()).toEqual(['a'])
  begun[0]!.end.reject(new Error('cancelled'))
  await turn()
  expect(questions()).toEqual(['a', 'a'])
  begun[1]!.end.resolve('read')
  expect(await answer).toBe('read')
})
