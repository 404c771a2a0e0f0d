import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createImpressions } from '../../src/gateway/recording/impressions.ts'
import { createRecorderRoom } from '../../src/gateway/recording/recorder-room.ts'
import { createIngress } from '../../src/ingress/clients.ts'
import { until } from '../../src/main/embedded/until.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { impression, recordedImpressions } from '../harness/items/impressions.ts'
import { clear } from '../harness/servers/database.ts'
import { answerOf } from '../harness/servers/fail-points.ts'
import { type Death, STATEMENT_ANSWERED } from './endpoint-messages.ts'
import { type CrashStack, startCrashStack, type Victim } from './stack.ts'
import { waitUntilQuiet } from './wait-until-quiet.ts'

const PATIENCE_MS = 60_000
const IMPRESSIONS = 20
/** More than recording takes, with a new process that looks up tombstones. */
const STATEMENTS_MAX = 20

let stack: CrashStack
beforeAll(async () => {
  stack = await startCrashStack()
}, 60_000)
afterAll(() => stack.stop({ keepFolder: false }))
beforeEach(() => clear(stack.db))

/** The impressions of a gateway that is not killed. */
function startImpressions() {
  const counts = { made: 0, handed_over: 0, lost: 0 }
  const ingress = createIngress({ url: stack.ingressUrl, deadlineMs: 2_000 })
  const room = createRecorderRoom({ ingress, bytesMax: 64 * 1024 * 1024 })
  const observer = { impressions: (state: keyof typeof counts, count: number) => void (counts[state] += count) }
  const impressions = createImpressions({ ingress, room, isOn: true, observer })
  const stop = async () => {
    await impressions.stop()
    room.stop()
  }
  return { counts, stop, note: impressions.note }
}

const idsOf = async () => (await recordedImpressions(stack.db)).map((row) => row.recommendation_id).toSorted()

/** Makes impressions while the endpoint is killed. @returns whether it was killed. */
async function makeAndDie(death: Death): Promise<boolean> {
  await clear(stack.db)
  const gateway = startImpressions()
  const made = Array.from({ length: IMPRESSIONS }, () => impression())
  const hasDied = await stack.dieDuring(death, async () => {
    made.forEach(gateway.note)
    await until(async () => gateway.counts.handed_over === IMPRESSIONS, PATIENCE_MS)
    await waitUntilQuiet(stack)
  })
  await gateway.stop()
  expect(await idsOf()).toEqual(made.map((each) => each.recommendation_id).toSorted())
  expect(gateway.counts).toEqual({ made: IMPRESSIONS, handed_over: IMPRESSIONS, lost: 0 })
  expect((await verify(stack.db)).drift).toEqual([])
  return hasDied
}

test('wherever the endpoint is killed, each impression is recorded and counted once', { timeout: 300_000 }, async () => {
  for (const point of ['record the impressions', answerOf('RecordImpressions')]) {
    expect(await makeAndDie({ point, occurrence: 1 }), `not reached: ${point}`).toBe(true)
  }
  for (let occurrence = 1; await makeAndDie({ point: STATEMENT_ANSWERED, occurrence }); occurrence++) {
    expect(occurrence).toBeLessThan(STATEMENTS_MAX)
  }
})

test(
  'while PostgreSQL, Restate and the endpoint are killed, no impression of a living gateway is lost or doubled',
  { timeout: 300_000 },
  async () => {
    const gateway = startImpressions()
    const made: string[] = []
    const victims: Victim[] = ['postgres', 'restate', 'endpoint']
    for (const victim of [...victims, ...victims]) {
      const make = () => {
        for (let count = 0; count < IMPRESSIONS; count++) {
          const each = impression()
          made.push(each.recommendation_id)
          gateway.note(each)
        }
      }
      make()
      await stack.kill(victim)
      make()
      await stack.revive(victim)
      make()
    }
    expect(await until(async () => gateway.counts.handed_over === made.length, PATIENCE_MS)).toBe(true)
    await waitUntilQuiet(stack)
    await gateway.stop()
    expect(await idsOf()).toEqual(made.toSorted())
    expect(gateway.counts.lost).toBe(0)
    expect((await verify(stack.db)).drift).toEqual([])
  },
)

test('a gateway that is killed loses at most its last impressions, and doubles none', { timeout: 300_000 }, async () => {
  for (let kills = 0; kills < 3; kills++) {
    await clear(stack.db)
    const made: string[] = []
    const child = spawn(process.execPath, [join(import.meta.dirname, 'impression-gateway.ts'), stack.ingressUrl], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    child.on('message', (id: string) => made.push(id))
    expect(await until(async () => (await idsOf()).length > 20, PATIENCE_MS)).toBe(true)
    child.kill('SIGKILL')
    await once(child, 'exit')
    await waitUntilQuiet(stack)
    const recorded = new Set(await idsOf())
    // What is recorded is everything up to the last call.
    expect(made.filter((id) => recorded.has(id))).toEqual(made.slice(0, recorded.size))
    expect((await verify(stack.db)).drift).toEqual([])
  }
})
