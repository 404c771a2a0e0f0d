import type { Context } from '@restatedev/restate-sdk'
import { expect, test } from 'vitest'
import { directStep, LeavePlace, recorderStep, refusingStep, SetAside } from '../../services/recording/step.ts'
import type { Deps } from '../../services/handler/deps.ts'
import type { ServiceObserver } from '../../services/handler/observer.ts'
import { receivedMsOf } from '../../services/recording/checked-call.ts'
import type { WaitingCalls } from '../../services/handler/waiting-calls.ts'

/** While PostgreSQL is away, when every place is taken and no more calls may leave. */
const waitingCalls: WaitingCalls = {
  direct: { attempt: async (_id, _statements, leave) => leave(undefined) },
  background: { attempt: async (_id, _statements, leave) => leave(undefined) },
  mayLeave: () => false,
  recorded: () => undefined,
}

/** An attempt of a call whose journal has these results already. */
function attemptOf(journal: unknown[]): Context {
  let next = 0
  const run = async (...args: unknown[]) => {
    const action = args.at(-1) as () => unknown
    const place = next++
    if (place >= journal.length) journal.push(await action())
    return journal[place]
  }
  return { run, sleep: async () => undefined, request: () => ({ id: 'inv_1', headers: new Map() }) } as unknown as Context
}

let refusals = 0
const observer = { callRefused: () => refusals++ } as unknown as ServiceObserver

const recordIn = async (ctx: Context) => {
  await receivedMsOf(ctx)
  return directStep({ waitingCalls, observer })(ctx, 'record', async () => 'recorded')
}

test('only the first attempt of a call may be told that nothing was recorded', async () => {
  const journal: unknown[] = []
  await expect(recordIn(attemptOf(journal))).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('nothing'),
  })
  expect(journal).toHaveLength(1)
  expect(refusals).toBe(1)
  await expect(recordIn(attemptOf(journal))).rejects.toBeInstanceOf(LeavePlace)
})

test('a call that is repeated by its caller is not told whether it was made', async () => {
  const refused = refusingStep({ waitingCalls, background: undefined! })(attemptOf([]), 'start', async () => 'done')
  await expect(refused).rejects.toMatchObject({ code: 'unavailable', message: expect.not.stringContaining('nothing') })
})

test('a recorder sets a failing call aside after five attempts, and those that follow soon after two', async () => {
  const retryPolicy = { initialInterval: 100 } as Deps['retryPolicy']
  const step = recorderStep({ waitingCalls, retryPolicy })
  const attempts: number[] = []
  for (const call of ['first', 'second', 'third']) {
    let count = 0
    const fail = async () => {
      count++
      throw new Error(`a trigger refuses the ${call} call`)
    }
    await expect(step(attemptOf([]), 'record', fail)).rejects.toBeInstanceOf(SetAside)
    attempts.push(count)
  }
  expect(attempts).toEqual([5, 2, 2])
  expect(await step(attemptOf([]), 'record', async () => 'recorded')).toBe('recorded')
})

test('a call of the release before goes on with its attempts', async () => {
  const step = recorderStep({ waitingCalls, retryPolicy: { initialInterval: 100 } as Deps['retryPolicy'] })
  const journal: unknown[] = [{ failure: 'one' }, { failure: 'two' }]
  expect(await step(attemptOf(journal), 'record', async () => 'recorded')).toBe('recorded')
  expect(journal).toHaveLength(3)
})
