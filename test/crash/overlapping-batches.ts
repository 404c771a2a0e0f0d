import { callOf } from './call.ts'
import { newEvent } from './items.ts'
import type { Load } from './load.ts'
import type { Random } from '../../src/cli/demo/random.ts'

const TIMES = 5
const EVENTS = 1_000
const CALLS = 4

/**
 * Sends the same new events in four calls at once, half of them in reverse order: rows that go in as they come lock each
 * other out. PostgreSQL ends such a deadlock and Restate repeats the call, so that only PostgreSQL's log tells.
 */
export async function sendCrossing(load: Load, random: Random): Promise<void> {
  for (let time = 1; time <= TIMES; time++) {
    const items = Array.from({ length: EVENTS }, () => newEvent(random, Date.now()))
    const calls = Array.from({ length: CALLS }, (_, n) =>
      callOf({
        name: `crossing ${time}.${n}`,
        items: n % 2 === 0 ? items : items.toReversed(),
        idempotencyKey: undefined,
        isAlone: false,
        isRepeat: false,
      }),
    )
    await Promise.all(calls.map((call) => load.deliver(call)))
  }
}
