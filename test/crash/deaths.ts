import { setTimeout as sleep } from 'node:timers/promises'
import { answerOf, type FailPoint } from '../harness/servers/fail-points.ts'
import { type Call, callOf, type Handler } from './call.ts'
import { type Death, STATEMENT_ANSWERED } from './endpoint-messages.ts'
import { eventAt, eventWithoutId, inOtherWords, interaction, newEvent, rejectedItem, search } from './items.ts'
import type { Load } from './load.ts'
import { waitUntilQuiet } from './wait-until-quiet.ts'
import type { Random } from '../../src/cli/demo/random.ts'
import type { CrashStack } from './stack.ts'

/** The fail points of a lone call of each handler, including its counting and feeding. */
const FAIL_POINTS = {
  CreateInteraction: ['record the batch', answerOf('CreateInteraction'), 'count the batch', 'feed the profiles'],
  RecordSearches: ['record the batch', answerOf('RecordSearches'), 'count the batch'],
} as const satisfies Record<Handler, readonly FailPoint[]>
const HANDLERS = Object.keys(FAIL_POINTS) as Handler[]
/** A lone call that creates a partition in each table of the log takes 20 statements. */
const STATEMENTS_MAX = 40

/**
 * Kills the endpoint at each fail point, then after every `step`-th statement of a call, with a random first statement. Calls run one
 * at a time, because counting takes waiting batches along: a concurrent call would repair a lost message.
 */
export async function dieAtEachPoint(stack: CrashStack, load: Load, random: Random, step: number): Promise<void> {
  for (const handler of HANDLERS) {
    for (const point of FAIL_POINTS[handler]) {
      const hasDied = await dieOnce(stack, load, random, { point, occurrence: 1 }, handler)
      if (!hasDied) throw new Error(`${handler} did not reach: ${point}`)
    }
  }
  for (
    let occurrence = 1 + random.below(step);
    await dieOnce(stack, load, random, { point: STATEMENT_ANSWERED, occurrence });
    occurrence += step
  ) {
    if (occurrence >= STATEMENTS_MAX) throw new Error(`a lone call takes more than ${STATEMENTS_MAX} statements`)
  }
  await load.deliver(repeatOf(load.calls.at(-1)!))
  await waitUntilQuiet(stack)
}

/** Kills one or several processes, waits for acknowledgements, and repeats. */
export async function dieAtRandom(stack: CrashStack, load: Load, random: Random, deaths: number): Promise<void> {
  const goal = stack.kills + deaths
  while (stack.kills < goal) {
    await load.acknowledgements(5 + random.below(40), stack.broken.signal)
    // Otherwise every death would coincide with an answer.
    await sleep(random.below(50))
    const victims = random.chance(0.2) ? stack.victims.filter(() => random.chance(0.6)) : [random.pick(stack.victims)]
    if (victims.join() === 'endpoint' && random.chance(0.7)) await dieUnderLoad(stack, load, random)
    else await Promise.all(victims.map((victim) => stack.kill(victim)))
    await Promise.all(victims.map((victim) => stack.revive(victim)))
  }
}

/** @returns whether the call reached the point. */
async function dieOnce(
  stack: CrashStack,
  load: Load,
  random: Random,
  death: Death,
  handler: Handler = 'CreateInteraction',
): Promise<boolean> {
  const call = loneCall(random, handler, `alone ${handler} ${death.point} ${death.occurrence}`, load.calls.length)
  return stack.dieDuring(death, async () => {
    await load.deliver(call)
    await waitUntilQuiet(stack)
  })
}

/** Kills the endpoint at a random point, or anywhere if the load has not reached that after many acknowledgements. */
async function dieUnderLoad(stack: CrashStack, load: Load, random: Random): Promise<void> {
  const point = random.pick([...FAIL_POINTS.CreateInteraction, STATEMENT_ANSWERED, STATEMENT_ANSWERED])
  const occurrence = 1 + random.below(point === STATEMENT_ANSWERED ? 60 : 6)
  const { died } = await stack.arm({ point, occurrence })
  await Promise.race([died, load.acknowledgements(10 * occurrence, stack.broken.signal)])
  await stack.kill('endpoint')
}

/** An event twice, an event of a month without a partition, an event without an id, and an item that is rejected. */
function loneCall(random: Random, handler: Handler, name: string, month: number): Call {
  const nowMs = Date.now()
  const newFields = handler === 'RecordSearches' ? search : interaction
  const event = newEvent(random, nowMs, newFields)
  const inNewMonth = eventAt(random, Date.UTC(2016, month, 15), newFields)
  const items = [
    event,
    inOtherWords(event),
    inNewMonth,
    eventWithoutId(random, nowMs, newFields),
    rejectedItem(random, newFields),
  ]
  const recorder = random.chance(0.5) && { recorder: '0' }
  return callOf({ name, handler, items, idempotencyKey: name, isAlone: true, isRepeat: false, ...recorder })
}

/** The events of an acknowledged call again: a batch without new events is still fanned out. */
function repeatOf(call: Call): Call {
  const items = call.items.filter((item) => item.event !== undefined)
  const { handler } = call
  return callOf({ name: `${call.name} again`, handler, items, idempotencyKey: undefined, isAlone: false, isRepeat: true })
}
