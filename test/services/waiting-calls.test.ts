import { expect, test } from 'vitest'
import { createWaitingCalls } from '../../src/main/endpoint/waiting-calls.ts'
import { UnavailableError } from '../../src/store/database/unavailable-error.ts'

const away = async () => {
  throw new UnavailableError('away')
}
const refusedByRule = async () => {
  throw new Error('a rule')
}
const answers = async () => 'done'

/** Calls with two places, of which three may leave, and a clock. */
function callsOf() {
  const clock = { ms: 1_000_000 }
  const calls = createWaitingCalls({ placesMax: 2, leavingMax: 3 }, () => clock.ms)
  const attempt = (id: string, statements: () => Promise<string>) =>
    calls.direct
      .attempt(id, statements, (failure) => (failure === undefined ? 'left untried' : 'left'))
      .catch((error: unknown) => (error instanceof UnavailableError ? 'keeps its place' : 'failed'))
  return { clock, calls, attempt }
}

test('the first calls keep their places in every attempt, and of further ones one in a second tries', async () => {
  const { clock, attempt } = callsOf()
  const first = [await attempt('a', away), await attempt('b', away), await attempt('a', away), await attempt('b', away)]
  expect(first).toEqual(['keeps its place', 'keeps its place', 'keeps its place', 'keeps its place'])
  let tries = 0
  const trying = async () => {
    tries++
    return away()
  }
  expect([await attempt('c', trying), await attempt('d', trying)]).toEqual(['left untried', 'left untried'])
  expect(tries).toBe(0)
  clock.ms += 1_000
  expect([await attempt('c', trying), await attempt('d', trying)]).toEqual(['left', 'left untried'])
  expect(tries).toBe(1)
})

test('a call that has begun when PostgreSQL goes away is told apart from one that has not', async () => {
  const { clock, attempt } = callsOf()
  await attempt('before', answers)
  await attempt('a', away)
  await attempt('b', away)
  clock.ms += 1_000
  expect(await attempt('c', away)).toBe('left')
  clock.ms += 500
  await attempt('a', away)
  expect(await attempt('d', away)).toBe('left')
  clock.ms += 600
  await attempt('a', away)
  expect(await attempt('e', away)).toBe('left untried')
})

test('a call that succeeds gives its place to the next one, and lets all others try', async () => {
  const { attempt } = callsOf()
  await attempt('a', away)
  await attempt('b', away)
  expect(await attempt('a', answers)).toBe('done')
  expect([await attempt('c', away), await attempt('d', answers)]).toEqual(['keeps its place', 'done'])
})

test('calls of a recorder show that PostgreSQL is back, and calls may leave again', async () => {
  const { calls, attempt } = callsOf()
  await attempt('a', away)
  await attempt('b', away)
  const mayLeave = () => [1, 2, 3, 4].map(() => calls.mayLeave())
  expect(mayLeave()).toEqual([true, true, true, false])
  calls.recorded()
  expect(await attempt('c', answers)).toBe('done')
  expect(mayLeave()).toEqual([true, true, true, false])
})

test('an error that is no outage takes no place', async () => {
  const { attempt } = callsOf()
  expect([await attempt('a', refusedByRule), await attempt('b', refusedByRule), await attempt('c', away)]).toEqual([
    'failed',
    'failed',
    'keeps its place',
  ])
})

test('a call that does not come back for five minutes loses its place', async () => {
  const { clock, attempt } = callsOf()
  await attempt('a', away)
  await attempt('b', away)
  clock.ms += 299_000
  await attempt('b', away)
  clock.ms += 2_000
  expect([await attempt('c', away), await attempt('d', away)]).toEqual(['keeps its place', 'left untried'])
})
