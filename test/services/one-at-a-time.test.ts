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
    const oneAtATime = createOneAtATime()
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
    const oneAtATime = createOneAtATime()
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
