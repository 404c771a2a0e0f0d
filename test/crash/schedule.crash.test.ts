import * as clients from '@restatedev/restate-sdk-clients'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { scheduleApi } from '../../src/contract/services.ts'
import { randomOf } from '../../src/cli/demo/random.ts'
import { quiet } from './wait-until-quiet.ts'
import { prepareSlots, SLOT_MS, slotsRun } from './slots.ts'
import { type CrashStack, startCrashStack, type Victim } from './stack.ts'
import { until } from '../../src/main/embedded/until.ts'

const KILLS = 6
/** Runs between two kills, at most. */
const RUNS_MAX = 5
const PATIENCE_MS = 60_000

let stack: CrashStack
beforeAll(async () => {
  stack = await startCrashStack()
  await prepareSlots(stack.db)
}, 60_000)
afterAll(() => stack.stop({ keepFolder: false }))

const schedule = () => clients.connect({ url: stack.ingressUrl }).client(scheduleApi, 'note-slots')

/** Resolves when so many further slots have run. */
async function further(count: number): Promise<void> {
  const goal = (await slotsRun(stack.db)).length + count
  const came = await until(async () => (await slotsRun(stack.db)).length >= goal, PATIENCE_MS)
  if (!came) throw new Error(`${goal} slots never came`)
}

test(
  'whatever is killed, each slot runs at most once and in order, no slot leaves the grid, and the schedule goes on',
  { timeout: 300_000 },
  async () => {
    const seed = Number(process.env['CRASH_SEED'] ?? Date.now() % 2 ** 31)
    console.log(`CRASH_SEED=${seed}`)
    const random = randomOf(seed, 'schedule')
    await schedule().Start({ every_ms: SLOT_MS })
    await further(1)
    for (const victim of Array.from({ length: KILLS }, (_, n) => (['endpoint', 'restate', 'postgres'] as Victim[])[n % 3]!)) {
      if (victim === 'endpoint') {
        // After the note is committed, and before Restate knows.
        const { died } = await stack.arm({ point: 'statement answered', passage: 1 + random.below(3) })
        await died
      } else {
        await stack.kill(victim)
      }
      await stack.revive(victim)
      // A new deploy starts its schedules, which must change nothing.
      if (random.chance(0.5)) await schedule().Start({ every_ms: SLOT_MS })
      await further(1 + random.below(RUNS_MAX))
    }
    await schedule().Stop({})
    await quiet(stack)

    const slots = await slotsRun(stack.db)
    expect(slots.filter(({ runs }) => runs !== 1)).toEqual([])
    const instants = slots.map(({ slot }) => slot)
    expect(instants).toEqual(instants.toSorted((one, other) => one - other))
    expect(new Set(instants.map((slot) => (slot - instants[0]!) % SLOT_MS))).toEqual(new Set([0]))
    expect(await schedule().Info({})).toMatchObject({ running: false, last_run: { outcome: 'completed' } })
  },
)
