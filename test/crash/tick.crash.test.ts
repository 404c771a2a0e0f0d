import * as clients from '@restatedev/restate-sdk-clients'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { scheduleApi } from '../../src/contract/services.ts'
import { HOUR_MS } from '../../src/contract/time.ts'
import { quiet } from './wait-until-quiet.ts'
import { prepareSlots, slotsRun } from './slots.ts'
import { type CrashStack, startCrashStack } from './stack.ts'
import { until } from '../../src/main/embedded/until.ts'

const PATIENCE_MS = 20_000
/** A start, its tick and the run pass 16 points. */
const PASSAGES_MAX = 40

let stack: CrashStack
beforeAll(async () => {
  stack = await startCrashStack()
  await prepareSlots(stack.db)
}, 60_000)
afterAll(() => stack.stop({ keepFolder: false }))

const schedule = () => clients.connect({ url: stack.ingressUrl }).client(scheduleApi, 'note-slots')

/** Starts the schedule as a deploy does, which sends the tick of the slot that is due; resolves when so many slots have run. */
async function tick(slots: number): Promise<void> {
  await schedule().Start({ every_ms: HOUR_MS })
  const hasCome = await until(async () => (await slotsRun(stack.db)).length >= slots, PATIENCE_MS)
  if (!hasCome) throw new Error(`slot ${slots} never ran`)
  await quiet(stack)
}

/** @returns whether the endpoint came by so many points. */
async function tickAndDie(slots: number, passage: number): Promise<boolean> {
  const { died } = await stack.arm({ point: 'anywhere', passage })
  const done = tick(slots)
  const hasDied = await stack.outlive(died, done)
  await done
  return hasDied
}

test(
  'under a clock that is moved, wherever the endpoint dies, each slot that is due runs once, and none that was missed',
  { timeout: 120_000 },
  async () => {
    await tick(1)
    const [first] = (await slotsRun(stack.db)).map(({ slot }) => slot) as [number]
    // Half past a slot: how long the test takes does not matter.
    await stack.moveClock(HOUR_MS / 2)
    const due = [first]
    let hour = 0
    // Every other point, from another one in each run.
    for (let hasDied = true, passage = 1 + (Date.now() % 2); hasDied; passage += 2) {
      expect(passage).toBeLessThan(PASSAGES_MAX)
      due.push(first + (hour + 1) * HOUR_MS)
      // Every third time one slot passes, then two, then three: the others are missed.
      const hours = 1 + (passage % 3)
      hour += hours
      await stack.moveClock(hours * HOUR_MS)
      hasDied = await tickAndDie(due.length, passage)
    }
    expect(await slotsRun(stack.db)).toEqual(due.map((slot) => ({ slot, runs: 1 })))
    expect(stack.kills).toBeGreaterThanOrEqual(6)
    expect(await schedule().Info({})).toMatchObject({
      next_at: new Date(first + (hour + 1) * HOUR_MS).toISOString(),
      last_run: { outcome: 'completed', attempts: 1 },
    })
  },
)
