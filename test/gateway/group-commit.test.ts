import { HttpCallError } from '@restatedev/restate-sdk-clients'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { CreateInteractionResponse } from '../../src/contract/interaction.ts'
import { FLUSH_EVENTS_MAX } from '../../src/gateway/recording/flush.ts'
import { answersOf } from '../../src/gateway/recording/senders.ts'
import type { EventsBody } from '../../src/ingress/recorder.ts'
import { allAccepted, eventsOf, heldCommit, many, nextTurn } from '../harness/items/held-commit.ts'

describe('grouping', () => {
  test('a lone request is sent immediately, and requests during its call are sent together', async () => {
    const { calls, record } = heldCommit()
    const first = record(['a'])
    await nextTurn()
    const others = ['b', 'c', 'd'].map((name) => record([name]))
    await nextTurn()
    expect(calls.map((call) => call.events)).toEqual([['a']])
    calls[0]!.answer()
    expect(await first).toEqual(allAccepted(['a']))
    await nextTurn()
    expect(calls[1]!.events).toEqual(['b', 'c', 'd'])
    calls[1]!.answer()
    expect(await Promise.all(others)).toEqual([allAccepted(['b']), allAccepted(['c']), allAccepted(['d'])])
  })

  test('calls run concurrently only while each of them is full', async () => {
    const { calls, record } = heldCommit()
    for (let index = 0; index < 6; index++) void record(many(FLUSH_EVENTS_MAX, `${index}-`))
    void record(many(FLUSH_EVENTS_MAX / 2 - 1, 'one more'))
    await nextTurn()
    expect(calls.map((call) => call.events.length)).toEqual(Array.from({ length: 4 }, () => FLUSH_EVENTS_MAX))
    calls[0]!.answer()
    await nextTurn()
    expect(calls).toHaveLength(5)
  })

  test('a flush ends where the next request would not fit, and a larger request goes alone', async () => {
    const { calls, record } = heldCommit({ flushesMax: 1 })
    for (const size of [1_001, 1_400, 2_000, 9_000, 1_003]) void record(many(size, `${size}-`))
    for (let made = 1; made <= 4; made++) {
      await nextTurn()
      calls.at(-1)!.answer()
      await nextTurn()
    }
    expect(calls.map((call) => call.events.length)).toEqual([2_401, 2_000, 9_000, 1_003])
  })

  test('the bytes of a flush are bounded', async () => {
    const { calls, record } = heldCommit({ flushesMax: 1 })
    for (const name of ['a', 'b', 'c']) void record([name.repeat(600_000)])
    await nextTurn()
    expect(calls[0]!.events).toEqual(['a'.repeat(600_000)])
  })
})

test('blocked requests do not cause small concurrent flushes', async () => {
  const { calls, record } = heldCommit()
  const connection = {}
  void record(many(FLUSH_EVENTS_MAX, 'on its way'), connection)
  void record(many(FLUSH_EVENTS_MAX, 'after it'), connection)
  void record(many(FLUSH_EVENTS_MAX / 3, 'of another connection'))
  await nextTurn()
  expect(calls).toHaveLength(1)
  calls[0]!.answer()
  await nextTurn()
  expect(calls[1]!.events).toHaveLength(FLUSH_EVENTS_MAX)
})

test.for([95, 96, 97, 98, 99])(
  'a request is sent also when its time comes while the next flush is looked for (%i)',
  async (hundredths) => {
    vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const { calls, record } = heldCommit()
    for (let n = 0; n < 8; n++) void record([`${n}`])
    await nextTurn()
    vi.advanceTimersByTime(100)
    calls[0]!.answer()
    await nextTurn()
    // The senders that were answered are waited for, for 10 ms. This clock goes past that time while it is read.
    void record(['last'])
    vi.advanceTimersByTime(9)
    let readMs = performance.now() + hundredths / 100
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => (readMs += 0.01))
    await nextTurn()
    clock.mockRestore()
    vi.advanceTimersByTime(10)
    await nextTurn()
    expect(calls.map((call) => call.events.length)).toEqual([8, 1])
  },
)

describe('order', () => {
  test.for([
    ['a small request waits for a large one', 10_000, 1],
    ['a large request waits for a small one', 1, 10_000],
  ] as const)('%s of its connection', async ([_name, first, second]) => {
    const { calls, record } = heldCommit()
    const connection = {}
    void record(many(first, 'first '), connection)
    void record(many(second, 'second '), connection)
    await nextTurn()
    expect(calls.map((call) => call.events.length)).toEqual([first])
    calls[0]!.answer()
    await nextTurn()
    expect(calls[1]!.events).toHaveLength(second)
  })

  test('a request waits for earlier requests of its connection', async () => {
    const { calls, record } = heldCommit()
    const connection = {}
    void record(many(FLUSH_EVENTS_MAX, 'first-'), connection)
    void record(['second'], connection)
    void record(many(FLUSH_EVENTS_MAX, 'other-'))
    void record(['third'], connection)
    await nextTurn()
    expect(calls.map((call) => call.events[0])).toEqual(['first-0', 'other-0'])
    calls[0]!.answer()
    calls[1]!.answer()
    await nextTurn()
    expect(calls[2]!.events).toEqual(['second', 'third'])
  })
})

describe('bounds', () => {
  test('a full queue refuses requests, and the requests in it are recorded', async () => {
    const { calls, record, commit } = heldCommit({ queueEventsMax: 3 })
    const first = record(['a'])
    await nextTurn()
    const waiting = record(['b', 'c', 'd'])
    await expect(record(['e'])).rejects.toMatchObject({ code: 'unavailable' })
    expect(commit.length()).toEqual({ requests: 1, events: 3, bytes: 11, flushes: 1 })
    calls[0]!.answer()
    await first
    await nextTurn()
    calls[1]!.answer()
    expect(await waiting).toEqual(allAccepted(['b', 'c', 'd']))
    expect(commit.length()).toMatchObject({ requests: 0, events: 0, bytes: 0 })
  })

  test('a request that times out is answered, leaves the queue, and is not sent', async () => {
    const { calls, record, commit } = heldCommit({ deadlineMs: 20 })
    const outcomeOf = (events: string[]) => expect(record(events)).rejects.toThrow('not recorded in time')
    const late = [outcomeOf(['a']), outcomeOf(['b'])]
    await nextTurn()
    await Promise.all([...late, outcomeOf(['c'])])
    expect(commit.length()).toEqual({ requests: 0, events: 0, bytes: 0, flushes: 1 })
    calls[0]!.answer()
    await nextTurn()
    expect(calls.map((call) => call.events)).toEqual([['a', 'b']])
  })
})

describe('failures', () => {
  /** Refuses every call with a poisoned event. */
  const poisoned = (recorded: unknown[]) => async (body: EventsBody) => {
    const events = eventsOf(body)
    if (events.includes('poison')) throw new HttpCallError(500, '{"source":"invocation"}', 'refused')
    recorded.push(...events)
    return { answer: allAccepted(events) }
  }

  test('a request that makes its call fail fails alone, and the others keep their order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(60), { minLength: 1, maxLength: 40 }), fc.nat(39), async (names, at) => {
        const recorded: unknown[] = []
        const { record } = heldCommit({ send: poisoned(recorded) })
        const requests = names.toSpliced(at, 0, -1).map((name) => record([name === -1 ? 'poison' : name]))
        const outcomes = await Promise.allSettled(requests)
        expect(outcomes.filter((outcome) => outcome.status === 'rejected')).toHaveLength(1)
        expect(recorded).toEqual(names)
      }),
      { numRuns: 30 },
    )
  })

  test('after an outage no call is split, and all of its requests have an unknown outcome', async () => {
    const { calls, record } = heldCommit()
    const requests = [record(['a']), record(['b'])]
    await nextTurn()
    calls[0]!.fail(new TypeError('fetch failed', { cause: new Error('ECONNREFUSED') }))
    for (const request of requests) await expect(request).rejects.toThrow('fetch failed')
    expect(calls).toHaveLength(1)
  })
})

test('every request gets its own part of the answer, by its own indexes', () => {
  const verdict = fc.constantFrom('accepted', 'duplicate', 'rejected')
  fc.assert(
    fc.property(fc.array(fc.array(verdict, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 8 }), (requests) => {
      const answerTo = (verdicts: readonly string[]): CreateInteractionResponse => {
        const indexesOf = (wanted: string) => verdicts.flatMap((one, index) => (one === wanted ? [index] : []))
        return {
          accepted: indexesOf('accepted').length,
          duplicates: indexesOf('duplicate').length,
          duplicate_indexes: indexesOf('duplicate'),
          rejected: indexesOf('rejected').map((index) => ({ index, code: 'invalid', field: null, message: 'no' })),
        }
      }
      const group = requests.map((events) => ({ count: events.length }))
      expect(answersOf(group, answerTo(requests.flat()))).toEqual(requests.map(answerTo))
    }),
  )
})
