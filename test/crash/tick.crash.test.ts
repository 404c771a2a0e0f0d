import * as clients from '@restatedev/restate-sdk-clients'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { scheduleApi } from '../../src/contract/services.ts'
import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { waitUntilQuiet } from './wait-until-quiet.ts'
import { ANYWHERE } from './endpoint-messages.ts'
import { prepareSlots, slotsRun } from './slots.ts'
import { type CrashStack, startCrashStack } from './stack.ts'
import { until } from '../../src/main/embedded/until.ts'

const PATIENCE_MS = 20_000
/** A start, its tick and the run reach 16 points. */
const OCCURRENCES_MAX = 40

let stack: CrashStack
beforeAll(async () => {
  stack = await startCrashStack()
  await prepareSlots(stack.db)
}, 60_000)
afterAll(() => stack.stop({ keepFolder: false }))

const schedule = () => clients.connect({ url: stack.ingressUrl }).client(scheduleApi, 'note-slots')

/** Starts the schedule as a deploy does, which sends the tick of the due slot; resolves when this many slots have run. */
async function tick(slots: number): Promise<void> {
  await schedule().Start({ every_ms: HOUR_MS })
  const haveRun = await until(async () => (await slotsRun(stack.db)).length >= slots, PATIENCE_MS)
  if (!haveRun) throw new Error(`slot ${slots} has not run`)
  await waitUntilQuiet(stack)
}

/** @returns whether the endpoint reached that many points. */
function tickAndDie(slots: number, occurrence: number): Promise<boolean> {
  return stack.dieDuring({ point: ANYWHERE, occurrence }, () => tick(slots))
}

test('wherever the endpoint dies, each due slot runs once, and missed slots do not run', { timeout: 120_000 }, async () => {
  await tick(1)
  const [first] = (await slotsRun(stack.db)).map(({ slot }) => slot) as [number]
  // Half past a slot, so that the duration of the test does not matter.
  await stack.moveClock(HOUR_MS / 2)
  const due = [first]
  let hour = 0
  // Every other point, with a random first one.
  for (let hasDied = true, occurrence = 1 + (Date.now() % 2); hasDied; occurrence += 2) {
    expect(occurrence).toBeLessThan(OCCURRENCES_MAX)
    due.push(first + (hour + 1) * HOUR_MS)
    // One, two or three slots pass; all but one of them are missed.
    const hours = 1 + (occurrence % 3)
    hour += hours
    await stack.moveClock(hours * HOUR_MS)
    hasDied = await tickAndDie(due.length, occurrence)
  }
  expect(await slotsRun(stack.db)).toEqual(due.map((slot) => ({ slot, runs: 1 })))
  expect(stack.kills).toBeGreaterThanOrEqual(6)
  expect(await schedule().Info({})).toMatchObject({
    next_at: new Date(first + (hour + 1) * HOUR_MS).toISOString(),
    last_run: { outcome: 'completed', attempts: 1 },
  })
})
