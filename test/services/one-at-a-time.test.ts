import { expect, test, vi } from 'vitest'
import { createOneAtATime } from '../../src/main/endpoint/one-at-a-time.ts'

/** Runs a test with a clock of its own. */
async function withClock(run: () => Promise<void>): Promise<void> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  try {
    await run()
  } finally {
    vi.useRealTimers()
  }
}

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

test('work runs one after the other in the order of the calls, also after a failure', () =>
  withClock(async () => {
    const oneAtATime = createOneAtATime({ waitMsMax: 60_000 })
    const events: string[] = []
    const works = ['a', 'b', 'c'].map((name) =>
      oneAtATime(async () => {
        events.push(`${name} begins`)
        await sleep(10)
        events.push(`${name} ends`)
        if (name === 'a') throw new Error('a failed')
        return name
      }),
    )
    const outcomes = Promise.allSettled(works)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(events).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends'])
    expect(await outcomes).toMatchObject([{ status: 'rejected' }, { value: 'b' }, { value: 'c' }])
  }))

test('a rest follows work: as long as the work, and a second at most', () =>
  withClock(async () => {
    const oneAtATime = createOneAtATime({ waitMsMax: 60_000 })
    const beganMs: number[] = []
    const startMs = performance.now()
    const works = [100, 5_000, 0].map((tookMs) =>
      oneAtATime(async () => {
        beganMs.push(performance.now() - startMs)
        await sleep(tookMs)
      }),
    )
    await vi.advanceTimersByTimeAsync(10_000)
    await Promise.all(works)
    expect(beganMs).toEqual([0, 200, 6_200])
  }))

test('work whose turn does not come in time never begins, and the next work does not wait for it', () =>
  withClock(async () => {
    const oneAtATime = createOneAtATime({ waitMsMax: 1_000 })
    const startMs = performance.now()
    const beganMs: Record<string, number> = {}
    const call = async (name: string, tookMs: number) => {
      await oneAtATime(async () => {
        beganMs[name] = performance.now() - startMs
        await sleep(tookMs)
      })
    }
    const long = call('long', 1_500)
    const late = Promise.allSettled([call('late', 1), call('late too', 1)])
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await late).toMatchObject([{ status: 'rejected' }, { status: 'rejected' }])
    await vi.advanceTimersByTimeAsync(600)
    const next = call('next', 1)
    await vi.advanceTimersByTimeAsync(1_000)
    await Promise.all([long, next])
    expect(beganMs).toEqual({ long: 0, next: 2_500 })
  }))
