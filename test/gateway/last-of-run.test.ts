import { expect, test } from 'vitest'
import type { RunStatus } from '../../src/contract/recompute-run.ts'
import { lastOf } from '../../src/gateway/recording/run-calls.ts'

const NEVER = new AbortController().signal

/** A run with these states, one after the other. */
function runWith(...statuses: RunStatus[]) {
  let asked = 0
  return async () => ({ asked: ++asked, status: statuses[Math.min(asked, statuses.length) - 1]! })
}

test.for(['completed', 'failed', 'cancelled'] as const)('a run is waited for until it has %s', async (status) => {
  const last = await lastOf(runWith('pending', 'running', status), { msMax: 60_000, pollMs: 1, signal: NEVER })
  expect(last).toEqual({ asked: 3, status })
})

test('a run that takes longer than the bound is answered as it is', async () => {
  const last = await lastOf(runWith('pending', 'running'), { msMax: 3, pollMs: 1, signal: NEVER })
  expect(last).toEqual({ asked: 4, status: 'running' })
})

test('nothing waits for a caller that hangs up', async () => {
  const hangUp = new AbortController()
  const waiting = lastOf(runWith('running'), { msMax: 60_000, pollMs: 60_000, signal: hangUp.signal })
  hangUp.abort()
  await expect(waiting).rejects.toThrow('aborted')
})
