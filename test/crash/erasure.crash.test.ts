import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Random, randomOf } from '../../src/cli/demo/random.ts'
import { ERASURE_STEPS } from '../../src/contract/erasure.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { ANYWHERE, type Death } from './endpoint-messages.ts'
import { Person } from './person.ts'
import { personProblems } from './person-problems.ts'
import { recentProblems } from './recent-events.ts'
import { type CrashStack, startCrashStack } from './stack.ts'
import { waitUntilQuiet } from './wait-until-quiet.ts'

/** The endpoint dies after every so many statements, steps and attempts, with a random first one. */
const STEP = 60
const OCCURRENCES_MAX = 200

const seed = Number(process.env['CRASH_SEED'] ?? Date.now() % 2 ** 31)

let stack: CrashStack
const persons: Person[] = []
beforeAll(async () => {
  stack = await startCrashStack({ hasGateway: true })
}, 60_000)
afterAll(() => stack.stop({ keepFolder: false }))

/** A person with two merged sessions, events and a payment, all of which are recorded. */
async function newPerson(random: Random): Promise<Person> {
  const person = new Person(`erased person ${persons.length}`, stack, random, () => false)
  persons.push(person)
  const sessions = [0, 1].map((n) => `${person.account} visit ${n}`)
  await Promise.all(sessions.map((session) => person.merge(session, person.account)))
  await act(person, random, Date.now())
  await waitUntilQuiet(stack)
  return person
}

const shoppersOf = ({ account }: Person) => [`account:${account}`, ...[0, 1].map((n) => `session:${account} visit ${n}`)]

/** Events of each shopper id of the person, and a payment, from before the instant. */
async function act(person: Person, random: Random, beforeMs: number): Promise<void> {
  const shoppers = [...shoppersOf(person), random.pick(shoppersOf(person))]
  await Promise.all([...shoppers.map((shopper) => person.track(shopper, beforeMs)), person.pay(beforeMs)])
}

/** Goes on as the person until the work is done: late events and payments, newer ones, and sessions that sign in. */
async function actDuring(person: Person, random: Random, work: Promise<unknown>): Promise<void> {
  const beforeMs = Date.now()
  let isDone = false
  const done = work.finally(() => (isDone = true))
  for (let n = 0; !isDone; n++) {
    const session = person.merge(`${person.account} late ${n}`, person.account)
    await Promise.all([act(person, random, beforeMs), act(person, random, Date.now() + 120_000), session])
  }
  await done
}

async function erase(person: Person, random: Random): Promise<void> {
  const { id } = await person.requestErasure(random.pick(shoppersOf(person)))
  await person.erased(id)
}

/** Kills the endpoint at every occurrence of a point until the work is done. @returns how often. */
async function dieAtEvery(point: string, work: Promise<unknown>): Promise<number> {
  const done = work.then(() => false)
  let { died } = await stack.arm({ point, occurrence: 1 })
  for (let deaths = 0; ; deaths++) {
    if (!(await Promise.race([died.then(() => true), done]))) {
      // It is armed, or died when the work was done.
      await stack.kill('endpoint')
      await stack.revive('endpoint')
      return deaths
    }
    ;({ died } = await stack.reviveArmed({ point, occurrence: 1 }))
  }
}

async function check(person: Person): Promise<void> {
  await waitUntilQuiet(stack)
  expect(person.problems).toEqual([])
  expect(person.erasure?.status).toBe('completed')
  expect(await personProblems(stack, persons)).toEqual([])
  expect(await recentProblems(stack.db)).toEqual([])
  expect((await verify(stack.db)).drift).toEqual([])
}

test('killed at every part, an erasure under load ends with one certificate, and nothing is lost, doubled or left', async () => {
  console.log(`CRASH_SEED=${seed}`)
  const random = randomOf(seed, 'every part')
  const person = await newPerson(random)
  const erasing = erase(person, random)
  const [deaths] = await Promise.all([dieAtEvery('erase the next part', erasing), actDuring(person, random, erasing)])
  // The death at the last part may come after the answer that says so.
  expect(deaths).toBeGreaterThanOrEqual(ERASURE_STEPS.length - 1)
  await check(person)
}, 300_000)

test('killed at its request, its beginning and its answers, too', async () => {
  const random = randomOf(seed, 'named points')
  for (const point of ['request the erasure', 'answer of Start', 'begin the erasure', 'answer of Execute']) {
    const person = await newPerson(random)
    const erasing = () => eraseUnderLoad(person, random)
    expect(await stack.dieDuring({ point, occurrence: 1 }, erasing), `it did not reach: ${point}`).toBe(true)
    await check(person)
  }
}, 300_000)

test('killed after any statement, and when PostgreSQL is killed', async () => {
  const random = randomOf(seed, 'statements')
  let deaths = 0
  for (let occurrence = 1 + random.below(STEP); occurrence < OCCURRENCES_MAX; occurrence += STEP) {
    const person = await newPerson(random)
    const death: Death = { point: ANYWHERE, occurrence }
    const hasDied = await stack.dieDuring(death, () => eraseUnderLoad(person, random))
    await check(person)
    if (!hasDied) break
    deaths++
  }
  expect(deaths).toBeGreaterThan(1)
  const person = await newPerson(random)
  const erasing = eraseUnderLoad(person, random)
  await stack.kill('postgres')
  await stack.revive('postgres')
  await erasing
  await check(person)
  const { rows } = await sql<{ open: number }>`
    select count(*)::int as open from erasure_run where status <> 'completed' or shopper_id is not null`.execute(stack.db)
  expect(rows).toEqual([{ open: 0 }])
}, 300_000)

async function eraseUnderLoad(person: Person, random: Random): Promise<void> {
  const erasing = erase(person, random)
  await Promise.all([erasing, actDuring(person, random, erasing)])
}
