import { callOf } from './call.ts'
import { newEvent } from './items.ts'
import type { Load } from './load.ts'
import type { Random } from '../../src/cli/demo/random.ts'

const TIMES = 5
const EVENTS = 1_000
const CALLS = 4

/**
 * Sends the same new events in four concurrent calls, two of them in reverse order: inserts that kept the order of the call would
 * deadlock. PostgreSQL would abort one of them and Restate repeat the call, so only PostgreSQL's log would show it.
 */
export async function sendOverlapping(load: Load, random: Random): Promise<void> {
  for (let time = 1; time <= TIMES; time++) {
    const items = Array.from({ length: EVENTS }, () => newEvent(random, Date.now()))
    const calls = Array.from({ length: CALLS }, (_, n) =>
      callOf({
        name: `overlapping ${time}.${n}`,
        items: n % 2 === 0 ? items : items.toReversed(),
        idempotencyKey: undefined,
        isAlone: false,
        isRepeat: false,
      }),
    )
    await Promise.all(calls.map((call) => load.deliver(call)))
  }
}
