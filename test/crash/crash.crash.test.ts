import { expect, test } from 'vitest'
import { summaryOf, runRound } from './round.ts'

const KILLS_MIN = 8

test('after kills of any process every event is recorded, counted and fed once, as answered', async () => {
  const seed = Number(process.env['CRASH_SEED'] ?? Date.now() % 2 ** 31)
  console.log(`CRASH_SEED=${seed}`)
  const round = await runRound({ seed, randomDeaths: 4, step: 5 })
  console.log(summaryOf(round))
  expect(round.problems, `CRASH_SEED=${seed}, logs in ${round.folder}`).toEqual([])
  expect(round.kills).toBeGreaterThanOrEqual(KILLS_MIN)
  expect(round.personEvents).toBeGreaterThan(0)
}, 300_000)
