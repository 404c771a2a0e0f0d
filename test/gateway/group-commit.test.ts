import { setImmediate as turn } from 'node:timers/promises'
import { HttpCallError } from '@restatedev/restate-sdk-clients'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { CreateInteractionResponse } from '../../src/contract/interaction.ts'
import { FLUSH_EVENTS_MAX } from '../../src/gateway/recording/flush.ts'
import { createGroupCommit, type GroupCommitOptions } from '../../src/gateway/recording/group-commit.ts'
import { answersOf } from '../../src/gateway/recording/senders.ts'
import type { EventsBody } from '../../src/ingress/recorder.ts'
import { SILENT_OBSERVER } from '../harness/servers/silent-observer.ts'
import { watched } from '../harness/watched.ts'

/** A call that the test answers. */
interface Call {
  events: unknown[]
  answer: () => void
  fail: (error: Error) => void
}

function manual(changes: Partial<GroupCommitOptions<CreateInteractionResponse, CreateInteractionResponse>> = {}) {
  const calls: Call[] = []
  const send = (body: EventsBody) =>
    new Promise<{ answer: CreateInteractionResponse }>((resolve, reject) => {
      const events = eventsOf(body)
      calls.push({ events, answer: () => resolve({ answer: allAccepted(events) }), fail: reject })
    })
  const limits = { list: 'interactions', flushesMax: 4, queueEventsMax: 50_000, queueBytesMax: 10_000_000, deadlineMs: 60_000 }
  const commit = createGroupCommit({ ...limits, send, partsOf: answersOf, observer: SILENT_OBSERVER, ...changes })
  const record = (events: unknown[], connection: object = {}, caller = 'shop', fromMs = Infinity) => {
    const [json, count] = [JSON.stringify(events).slice(1, -1), events.length]
    return watched(commit.record({ json, count, caller, connection, partEnds: [{ count, length: json.length, fromMs }] }))
  }
  return { calls, commit, record }
}

/** Requests are answered in one turn of the event loop, and waiting ones are sent in the next. */
async function nextTurn(): Promise<void> {
  await turn()
  await turn()
}

function eventsOf(body: EventsBody): unknown[] {
  return (JSON.parse(body.toString()) as { interactions: unknown[] }).interactions
}

function allAccepted(events: readonly unknown[]): CreateInteractionResponse {
  return { accepted: events.length, duplicates: 0, duplicate_indexes: [], rejected: [] }
}

const many = (count: number, name: string) => Array.from({ length: count }, (_, index) => `${name}${index}`)

describe('grouping', () => {
  test('a lone request is sent immediately, and requests during its call are sent together', async () => {
    const { calls, record } = manual()
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
    const { calls, record } = manual()
    for (let index = 0; index < 6; index++) void record(many(FLUSH_EVENTS_MAX, `${index}-`))
    void record(many(FLUSH_EVENTS_MAX / 2 - 1, 'one more'))
    await nextTurn()
    expect(calls.map((call) => call.events.length)).toEqual(Array.from({ length: 4 }, () => FLUSH_EVENTS_MAX))
    calls[0]!.answer()
    await nextTurn()
    expect(calls).toHaveLength(5)
  })

  test('a flush ends where the next request would not fit, and a larger request goes alone', async () => {
    const { calls, record } = manual({ flushesMax: 1 })
    for (const size of [1_001, 1_400, 2_000, 9_000, 1_003]) void record(many(size, `${size}-`))
    for (let made = 1; made <= 4; made++) {
      await nextTurn()
      calls.at(-1)!.answer()
      await nextTurn()
    }
    expect(calls.map((call) => call.events.length)).toEqual([2_401, 2_000, 9_000, 1_003])
  })

  test('the bytes of a flush are bounded', async () => {
    const { calls, record } = manual({ flushesMax: 1 })
    for (const name of ['a', 'b', 'c']) void record([name.repeat(600_000)])
    await nextTurn()
    expect(calls[0]!.events).toEqual(['a'.repeat(600_000)])
  })
})

test('blocked requests do not cause small concurrent flushes', async () => {
  const { calls, record } = manual()
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
    const { calls, record } = manual()
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

describe('fairness', () => {
  test('large requests hold up neither small ones of their caller nor those of others', async () => {
    const { calls, record } = manual()
    for (let n = 0; n < 5; n++) void record(many(10_000, `large ${n} `))
    await nextTurn()
    expect(calls.map((call) => call.events.length)).toEqual([10_000, 10_000, 10_000, 10_000])
    void record(['small'])
    void record(['of another'], {}, 'other')
    await nextTurn()
    expect(calls[4]!.events).toEqual(['small', 'of another'])
  })

  test('a caller with much waiting shares no flush with others, and has the order of its own', async () => {
    const { calls, record } = manual()
    const flood = (count: number) => {
      for (let n = 0; n < count; n++) void record([`flood ${n}`], {}, 'flooding')
    }
    flood(150)
    void record(['first'])
    await nextTurn()
    expect(calls.map((call) => call.events.length)).toEqual([1, 150])
    flood(150)
    calls[0]!.answer()
    void record(['second'])
    await nextTurn()
    expect(calls[2]!.events).toEqual(['second'])
    calls[1]!.answer()
    await nextTurn()
    // Its senders are waited for, for 10 ms at most.
    await vi.waitFor(() => expect(calls[3]!.events).toHaveLength(150))
  })

  test.for([
    ['single events', 1, 1_000],
    ['requests of 250 events', 250, 50],
    ['requests of 10,000 events', 10_000, 8],
  ] as const)('%s of one caller leave flushes to another one', async ([_name, events, requests]) => {
    const { calls, record } = manual({ queueEventsMax: 1_000_000, queueBytesMax: 100_000_000 })
    for (let n = 0; n < requests; n++) void record(many(events, `flood ${n} `), {}, 'flooding')
    await nextTurn()
    const before = calls.length
    expect(before).toBeGreaterThan(0)
    void record(many(2_000, 'other '), {}, 'other')
    await nextTurn()
    expect(calls).toHaveLength(before + 1)
    expect(calls.at(-1)!.events).toHaveLength(2_000)
  })

  test('old events of any number of callers leave flushes to current ones', async () => {
    const { calls, record } = manual()
    const sizes = [1, 50, 500, 2_000]
    for (let n = 0; n < 5; n++) for (const size of sizes) void record(many(size, 'old '), {}, `importer ${n}`, 0)
    await nextTurn()
    expect(calls).toHaveLength(4)
    void record(many(2_000, 'current '), {}, 'importer 0')
    void record(many(2_000, 'of another '), {}, 'shop')
    await nextTurn()
    expect(calls.slice(4).map(({ events }) => events[0])).toEqual(['current 0', 'of another 0'])
    calls[0]!.answer()
    await nextTurn()
    // The place of an old flush is for the next old one.
    expect(calls.slice(6).map(({ events }) => events[0])).toEqual(['old 0'])
  })

  test('current events of any number of callers leave flushes to old ones', async () => {
    const { calls, record } = manual()
    for (let n = 0; n < 10; n++) void record(many(2_000, 'current '), {}, `shop ${n}`)
    await nextTurn()
    expect(calls).toHaveLength(8)
    void record(many(2_000, 'old '), {}, 'importer', 0)
    await nextTurn()
    expect(calls.slice(8).map(({ events }) => events[0])).toEqual(['old 0'])
  })

  test('while small requests of others go out, a caller has one large call at a time, of fewer events', async () => {
    const { calls, record } = manual()
    void record(['small'], {}, 'other')
    await nextTurn()
    for (let n = 0; n < 6; n++) void record(many(600, `large ${n} `), {}, 'flooding')
    await nextTurn()
    expect(calls.map((call) => call.events.length)).toEqual([1, 600])
    calls[1]!.answer()
    // It pauses for twice as long as the call took.
    await vi.waitFor(() => expect(calls.map((call) => call.events.length)).toEqual([1, 600, 600]))
  })

  test('a caller that fills the queue keeps no other one out', async () => {
    const { calls, record } = manual({ queueEventsMax: 1_000, flushesMax: 1 })
    void record(many(1_000, 'flood '), {}, 'flooding')
    await nextTurn()
    void record(many(1_000, 'more '), {}, 'flooding')
    await expect(record(many(101, 'too much '), {}, 'flooding')).rejects.toMatchObject({ code: 'unavailable' })
    void record(['other'], {}, 'other')
    await nextTurn()
    expect(calls.map((call) => call.events.length)).toEqual([1_000, 1])
    for (let n = 0; n < 250; n++) void record([`${n}`], {}, `other ${n}`)
    await expect(record(['no room'], {}, 'late')).rejects.toMatchObject({ code: 'unavailable' })
  })
})

describe('order', () => {
  test.for([
    ['a small request waits for a large one', 10_000, 1],
    ['a large request waits for a small one', 1, 10_000],
  ] as const)('%s of its connection', async ([_name, first, second]) => {
    const { calls, record } = manual()
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
    const { calls, record } = manual()
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
    const { calls, record, commit } = manual({ queueEventsMax: 3 })
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
    const { calls, record, commit } = manual({ deadlineMs: 20 })
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
        const { record } = manual({ send: poisoned(recorded) })
        const requests = names.toSpliced(at, 0, -1).map((name) => record([name === -1 ? 'poison' : name]))
        const outcomes = await Promise.allSettled(requests)
        expect(outcomes.filter((outcome) => outcome.status === 'rejected')).toHaveLength(1)
        expect(recorded).toEqual(names)
      }),
      { numRuns: 30 },
    )
  })

  test('after an outage no call is split, and all of its requests have an unknown outcome', async () => {
    const { calls, record } = manual()
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
