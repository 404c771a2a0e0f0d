import { sendOverlapping } from './overlapping-batches.ts'
import { dieAtEachPoint, dieAtRandom } from './deaths.ts'
import { inspect } from './inspection.ts'
import { Load } from './load.ts'
import { personProblems } from './person-problems.ts'
import { Persons } from './persons.ts'
import { waitUntilQuiet } from './wait-until-quiet.ts'
import { randomOf } from '../../src/cli/demo/random.ts'
import { startCrashStack } from './stack.ts'

export interface RoundOptions {
  seed: number
  /** Deaths under load, after the deaths at every point of a lone call. */
  randomDeaths: number
  /** A lone call is killed after every `step`-th of its statements. */
  step?: number
}

export interface Round {
  seed: number
  kills: number
  calls: number
  /** How often calls were sent, repeats included. */
  sends: number
  persons: number
  erased: number
  /** Events of persons. */
  personEvents: number
  /** Distinct events with an id. */
  events: number
  seconds: number
  /** Broken promises; empty when the round passed. */
  problems: string[]
  /** Where the logs and the data are; they are deleted unless there are problems. */
  folder: string
}

const PROBLEMS_SHOWN_MAX = 25

/** Kills at each point of a lone call, then at random under load, and compares the database with the calls that were sent. */
export async function runRound({ seed, randomDeaths, step = 1 }: RoundOptions): Promise<Round> {
  const startMs = Date.now()
  const stack = await startCrashStack({ hasGateway: true })
  const persons = new Persons(stack, seed)
  const load = new Load(stack.ingressUrl, seed)
  let problems: string[] = []
  try {
    await dieAtEachPoint(stack, load, randomOf(seed, 'lone calls'), step)
    await sendOverlapping(load, randomOf(seed, 'overlapping'))
    load.start()
    persons.start()
    await dieAtRandom(stack, load, randomOf(seed, 'deaths'), randomDeaths)
    await Promise.all([load.finish(), persons.finish()])
    await waitUntilQuiet(stack)
  } catch (error) {
    problems.push(String(error))
  }
  await Promise.all([load.abandon(), persons.abandon()])
  if (stack.broken.signal.aborted) problems.push(String(stack.broken.signal.reason))
  const personEvents = persons.persons.flatMap(({ events }) => events)
  const found = await inspect(stack, load.calls).catch(notInspected)
  const ofPersons = await personProblems(stack, persons.persons).catch(notInspected)
  problems = [...load.problems, ...persons.problems, ...problems, ...found, ...ofPersons]
  await stack.stop({ keepFolder: problems.length > 0 })
  return {
    seed,
    kills: stack.kills,
    calls: load.calls.length,
    sends: load.calls.reduce((sum, call) => sum + call.sends, 0),
    persons: persons.persons.length,
    erased: persons.persons.filter(({ erasure }) => erasure !== undefined).length,
    personEvents: personEvents.length,
    events: new Set(load.calls.flatMap((call) => call.items.flatMap(({ event }) => event ?? []))).size,
    seconds: Math.round((Date.now() - startMs) / 1_000),
    problems: shortened(problems),
    folder: stack.folder,
  }
}

const notInspected = (error: unknown) => [`not inspected: ${String(error)}`]

function shortened(problems: string[]): string[] {
  const more = problems.length - PROBLEMS_SHOWN_MAX
  return more > 0 ? [...problems.slice(0, PROBLEMS_SHOWN_MAX), `and ${more} more`] : problems
}

/** A round as one line. */
export function summaryOf({ folder: _folder, problems, ...round }: Round): string {
  return JSON.stringify({ ...round, problems: problems.length })
}
