import { expect, test } from 'vitest'
import { BUDGET_MS, type Budgets, createBudgets } from '../../src/gateway/access/budgets.ts'
import { createLeasedBudgets } from '../../src/gateway/access/leased-budgets.ts'

/** Two processes, and a third one with what they share. */
function startProcesses() {
  const time = { ms: 0 }
  const now = () => time.ms
  const shared = createBudgets(now)
  let asked = 0
  const lease = () =>
    createLeasedBudgets(
      {
        take: async (...input) => {
          asked++
          return shared.take(...input)
        },
        giveBack: async (...input) => shared.giveBack(...input),
      },
      now,
    )
  return { time, one: lease(), other: lease(), asked: () => asked }
}

const takenOf = async (budgets: Budgets, count: number, { id = 'key', amount = 1, max = 160 } = {}) => {
  const answers = await Promise.all(Array.from({ length: count }, async () => budgets.take(id, amount, max)))
  return answers.reduce((sum, { taken }) => sum + taken, 0)
}

test('processes that share a budget take no more than it has, and one of them alone takes all of it', async () => {
  const { one, other, time } = startProcesses()
  expect(await takenOf(one, 161)).toBe(160)
  expect(await takenOf(other, 1)).toBe(0)
  expect(await takenOf(other, 300, { id: 'other' })).toBe(160)
  time.ms = BUDGET_MS
  const both = await Promise.all([takenOf(one, 161), takenOf(other, 161)])
  expect(both[0] + both[1]).toBe(160)
  expect(Math.min(...both)).toBeGreaterThan(0)
})

test('what a process has on lease and does not use is all that is missing to others', async () => {
  const { one, other, time } = startProcesses()
  expect(await takenOf(one, 1)).toBe(1)
  expect(await takenOf(other, 200)).toBe(150)
  expect(await takenOf(one, 200)).toBe(9)
  time.ms = BUDGET_MS
  expect(await takenOf(one, 1)).toBe(1)
})

test('sixteen questions are enough for a budget, however many requests come at the same time', async () => {
  const { one, asked } = startProcesses()
  await takenOf(one, 160)
  expect(asked()).toBe(16)
})

test('amounts larger than a lease are taken whole or not at all', async () => {
  const { one, other } = startProcesses()
  expect(await takenOf(one, 2, { amount: 100 })).toBe(100)
  expect(await takenOf(other, 1, { amount: 61 })).toBe(0)
  expect(await takenOf(other, 1, { amount: 60 })).toBe(60)
})

test('a small budget is counted exactly, and what was right is given back to all', async () => {
  const { one, other } = startProcesses()
  const wrong = { max: 10 }
  for (let n = 0; n < 20; n++) {
    expect(await takenOf(one, 1, wrong)).toBe(1)
    one.giveBack('key', 1)
  }
  expect(await takenOf(one, 5, wrong)).toBe(5)
  expect(await takenOf(other, 6, wrong)).toBe(5)
})

test('an answer says what is taken of the budget, and when it is whole again', async () => {
  const { one } = startProcesses()
  await one.take('key', 1, 160)
  expect(await one.take('key', 1, 160)).toEqual({ taken: 1, used: 2, endsMs: BUDGET_MS })
  expect(await one.take('key', 200, 160)).toMatchObject({ taken: 0, endsMs: BUDGET_MS })
})
