import { setTimeout as sleep } from 'node:timers/promises'
import { answerOf, type FailPoint } from '../harness/servers/fail-points.ts'
import { type Call, callOf, type Handler } from './call.ts'
import type { Death } from './endpoint.ts'
import { eventAt, eventWithoutId, inOtherWords, interaction, newEvent, refusedItem, search } from './items.ts'
import type { Load } from './load.ts'
import { quiet } from './wait-until-quiet.ts'
import type { Random } from '../../src/cli/demo/random.ts'
import { type CrashStack, VICTIMS } from './stack.ts'

/** Those of a lone call of each handler, with its counting and feeding. */
const FAIL_POINTS = {
  CreateInteraction: ['record the batch', answerOf('CreateInteraction'), 'count the batch', 'feed the profiles'],
  RecordSearches: ['record the batch', answerOf('RecordSearches'), 'count the batch'],
} as const satisfies Record<Handler, readonly FailPoint[]>
const HANDLERS = Object.keys(FAIL_POINTS) as Handler[]
/** A lone call that makes a partition in each table of the log takes 20 statements. */
const STATEMENTS_MAX = 40

/**
 * Kills the endpoint at each fail point, then after the first statement of a call, the second, and so on to the last, or after
 * every so many from another one each time. One call at a time, so that nothing else makes good what is lost: counting takes
 * waiting neighbours along.
 */
export async function dieAtEachPoint(stack: CrashStack, load: Load, random: Random, step: number): Promise<void> {
  for (const handler of HANDLERS) {
    for (const point of FAIL_POINTS[handler]) {
      const hasDied = await dieOnce(stack, load, random, { point, passage: 1 }, handler)
      if (!hasDied) throw new Error(`${handler} did not come by: ${point}`)
    }
  }
  for (
    let passage = 1 + random.below(step);
    await dieOnce(stack, load, random, { point: 'statement answered', passage });
    passage += step
  ) {
    if (passage >= STATEMENTS_MAX) throw new Error(`a lone call takes more than ${STATEMENTS_MAX} statements`)
  }
  await load.deliver(repeatOf(load.calls.at(-1)!))
  await quiet(stack)
}

/** Kills one process or several, sees acknowledgements come, and kills again. */
export async function dieAtRandom(stack: CrashStack, load: Load, random: Random, deaths: number): Promise<void> {
  const goal = stack.kills + deaths
  while (stack.kills < goal) {
    await load.acknowledgements(5 + random.below(40), stack.broken.signal)
    // Otherwise every death would fall on an answer.
    await sleep(random.below(50))
    const victims = random.chance(0.2) ? VICTIMS.filter(() => random.chance(0.6)) : [random.pick(VICTIMS)]
    if (victims.join() === 'endpoint' && random.chance(0.7)) await dieUnderLoad(stack, load, random)
    else await Promise.all(victims.map((victim) => stack.kill(victim)))
    await Promise.all(victims.map((victim) => stack.revive(victim)))
  }
}

/** @returns whether the call came by the point. */
async function dieOnce(
  stack: CrashStack,
  load: Load,
  random: Random,
  death: Death,
  handler: Handler = 'CreateInteraction',
): Promise<boolean> {
  const { died } = await stack.arm(death)
  const call = loneCall(random, handler, `alone ${handler} ${death.point} ${death.passage}`, load.calls.length)
  const done = load.deliver(call).then(() => quiet(stack))
  const hasDied = await stack.outlive(died, done)
  await done
  return hasDied
}

/** At a point that the load comes by sooner or later; where it is when that is much later. */
async function dieUnderLoad(stack: CrashStack, load: Load, random: Random): Promise<void> {
  const point = random.pick([...FAIL_POINTS.CreateInteraction, 'statement answered', 'statement answered'])
  const passage = 1 + random.below(point === 'statement answered' ? 60 : 6)
  const { died } = await stack.arm({ point, passage })
  await Promise.race([died, load.acknowledgements(10 * passage, stack.broken.signal)])
  await stack.kill('endpoint')
}

/** A bit of everything: a month without a partition, an event twice, one without an id, one that is refused. */
function loneCall(random: Random, handler: Handler, name: string, month: number): Call {
  const nowMs = Date.now()
  const what = handler === 'RecordSearches' ? search : interaction
  const event = newEvent(random, nowMs, what)
  const inNewMonth = eventAt(random, Date.UTC(2016, month, 15), what)
  const items = [event, inOtherWords(event), inNewMonth, eventWithoutId(random, nowMs, what), refusedItem(random, what)]
  return callOf({ name, handler, items, idempotencyKey: name, isAlone: true, isRepeat: false })
}

/** The events of an acknowledged call, sent once more: a batch of which nothing is new is sent on all the same. */
function repeatOf(call: Call): Call {
  const items = call.items.filter((item) => item.event !== undefined)
  const { handler } = call
  return callOf({ name: `${call.name} again`, handler, items, idempotencyKey: undefined, isAlone: false, isRepeat: true })
}
