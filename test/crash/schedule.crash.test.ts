import * as clients from '@restatedev/restate-sdk-clients'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { scheduleApi } from '../../src/contract/services.ts'
import { randomOf } from '../../src/cli/demo/random.ts'
import { waitUntilQuiet } from './wait-until-quiet.ts'
import { STATEMENT_ANSWERED } from './endpoint-messages.ts'
import { prepareSlots, SLOT_MS, slotsRun } from './slots.ts'
import { type CrashStack, startCrashStack, type Victim } from './stack.ts'
import { until } from '../../src/main/embedded/until.ts'

const KILLS = 6
/** The most runs between two kills. */
const RUNS_MAX = 5
const PATIENCE_MS = 60_000

let stack: CrashStack
beforeAll(async () => {
  stack = await startCrashStack()
  await prepareSlots(stack.db)
}, 60_000)
afterAll(() => stack.stop({ keepFolder: false }))

const schedule = () => clients.connect({ url: stack.ingressUrl }).client(scheduleApi, 'note-slots')

/** Resolves when `count` further slots have run. */
async function runFurtherSlots(count: number): Promise<void> {
  const goal = (await slotsRun(stack.db)).length + count
  const haveRun = await until(async () => (await slotsRun(stack.db)).length >= goal, PATIENCE_MS)
  if (!haveRun) throw new Error(`${goal} slots have not run`)
}

test('after kills of any process slots run in order, at most once, on the grid, without end', { timeout: 300_000 }, async () => {
  const seed = Number(process.env['CRASH_SEED'] ?? Date.now() % 2 ** 31)
  console.log(`CRASH_SEED=${seed}`)
  const random = randomOf(seed, 'schedule')
  await schedule().Start({ every_ms: SLOT_MS })
  await runFurtherSlots(1)
  for (const victim of Array.from({ length: KILLS }, (_, n) => (['endpoint', 'restate', 'postgres'] as Victim[])[n % 3]!)) {
    if (victim === 'endpoint') {
      // Between the commit of the note and its acknowledgement by Restate.
      const { died } = await stack.arm({ point: STATEMENT_ANSWERED, occurrence: 1 + random.below(3) })
      await died
    } else {
      await stack.kill(victim)
    }
    await stack.revive(victim)
    // A new deploy starts its schedules again, which must have no effect.
    if (random.chance(0.5)) await schedule().Start({ every_ms: SLOT_MS })
    await runFurtherSlots(1 + random.below(RUNS_MAX))
  }
  await schedule().Stop({})
  await waitUntilQuiet(stack)

  const slots = await slotsRun(stack.db)
  expect(slots.filter(({ runs }) => runs !== 1)).toEqual([])
  const instants = slots.map(({ slot }) => slot)
  expect(instants).toEqual(instants.toSorted((one, other) => one - other))
  expect(new Set(instants.map((slot) => (slot - instants[0]!) % SLOT_MS))).toEqual(new Set([0]))
  expect(await schedule().Info({})).toMatchObject({ running: false, last_run: { outcome: 'completed' } })
})
