import { expect } from 'vitest'
import type { MetricHistory } from '../../src/contract/metric-history.ts'
import type { MetricState } from '../../src/contract/product-metrics.ts'

const DAY_MS = 86_400_000

/** A history without states of the keys that a check uses. */
type NewHistory = () => Promise<MetricHistory>

const stateOf = (n: number): MetricState => ({ low_stock_count: n, last_updated: null })

/** What every store of the history must do, as titles and checks. Each implementation has a file that runs them. */
export const HISTORY_CONTRACT: Record<string, (newHistory: NewHistory) => Promise<void>> = {
  'an instant has the newest state that was recorded by then': async (newHistory) => {
    const history = await newHistory()
    const start = Date.now() - DAY_MS
    await keepAll(history, 'SELLER#a', [start, start + 60_000, start + 3_600_000])
    await keepAll(history, 'SELLER#ab', [start + 1])
    const at = async (atMs: number) => (await history.at('SELLER#a', atMs))?.state
    expect(await at(start - 1)).toBeUndefined()
    expect(await at(start)).toEqual(stateOf(0))
    expect(await at(start + 59_999)).toEqual(stateOf(0))
    expect(await at(start + 60_000)).toEqual(stateOf(1))
    expect(await at(Date.now() + DAY_MS)).toEqual(stateOf(2))
    expect(await history.at('SELLER#unknown', Date.now())).toBeUndefined()
  },

  'a series has the states of its range, the newest first, and pages': async (newHistory) => {
    const history = await newHistory()
    const start = Date.now() - DAY_MS
    const times = Array.from({ length: 60 }, (_, index) => start + index * 60_000)
    await keepAll(history, 'CATEGORY#ä/#% 🛒', times)
    const series = (fromMs: number, toMs: number, limit: number) => history.series('CATEGORY#ä/#% 🛒', { fromMs, toMs, limit })
    expect((await series(times[10]!, times[20]!, 100)).map(({ atMs }) => atMs)).toEqual(times.slice(10, 20).toReversed())
    const first = await series(times[0]!, Date.now(), 25)
    expect(first.map(({ atMs }) => atMs)).toEqual(times.slice(35).toReversed())
    const next = await series(times[0]!, first.at(-1)!.atMs, 25)
    expect(next.map(({ state }) => state)).toEqual(
      times
        .map((_, index) => stateOf(index))
        .slice(10, 35)
        .toReversed(),
    )
  },

  'a state expires 30 days after it was replaced, and the newest one never': async (newHistory) => {
    const history = await newHistory()
    const [old, longReplaced, newest] = [Date.now() - 90 * DAY_MS, Date.now() - 31 * DAY_MS, Date.now() - 29 * DAY_MS]
    await keepAll(history, 'LOWSTOCK', [old, longReplaced, newest])
    expect(await history.at('LOWSTOCK', longReplaced - 1)).toBeUndefined()
    expect(await history.at('LOWSTOCK', newest - 1)).toMatchObject({ atMs: longReplaced })
    expect(await history.at('LOWSTOCK', Date.now())).toMatchObject({ atMs: newest })
    expect(await history.series('LOWSTOCK', { fromMs: 0, toMs: Date.now(), limit: 10 })).toHaveLength(2)
  },

  'keeping states again, in part or after newer ones, changes nothing': async (newHistory) => {
    const history = await newHistory()
    const start = Date.now() - DAY_MS
    const steps = stepsOf('SELLER#again', [start, start + 60_000, start + 120_000])
    for (const step of steps) await history.keep([step])
    const all = () => history.series('SELLER#again', { fromMs: 0, toMs: Date.now(), limit: 10 })
    const before = await all()
    for (const step of [...steps, ...steps.toReversed()]) await history.keep([step])
    await Promise.all(steps.map((step) => history.keep([step])))
    expect(await all()).toEqual(before)
    expect(before).toHaveLength(3)
  },

  'many keys are kept at once, with ids of any characters': async (newHistory) => {
    const history = await newHistory()
    const atMs = Date.now()
    const keys = Array.from({ length: 120 }, (_, index) => `SELLER#${index} Ünï 🛒 "'\\#`)
    await history.keep(keys.map((key, index) => ({ key, atMs, state: stateOf(index), replaced: undefined })))
    const kept = await Promise.all(keys.map((key) => history.at(key, atMs)))
    expect(kept).toEqual(keys.map((key, index) => ({ key, atMs, state: stateOf(index) })))
  },
}

function stepsOf(key: string, times: readonly number[]) {
  return times.map((atMs, index) => ({
    ...{ key, atMs, state: stateOf(index) },
    replaced: index === 0 ? undefined : { atMs: times[index - 1]!, state: stateOf(index - 1) },
  }))
}

async function keepAll(history: MetricHistory, key: string, times: readonly number[]): Promise<void> {
  await Promise.all(stepsOf(key, times).map((step) => history.keep([step])))
}
