import { expect } from 'vitest'
import { readConfig } from '../../src/main/config/config.ts'
import { retryPolicyOf } from '../../src/main/config/failing.ts'
import { proxiedTest } from '../harness/proxied-fixtures.ts'
import { startGateway } from '../harness/servers/gateway.ts'
import { query, startStack } from '../harness/servers/stack.ts'
import { runOutage } from '../outage/outage.ts'

const OUTAGE_MS = 60_000

/** Services and gateway reach PostgreSQL through a proxy. */
const test = proxiedTest
  .extend('stack', { scope: 'file' }, async ({ proxied }, { onCleanup }) => {
    // The pauses of production: with those of tests, the calls in the places would be tried a hundred times a second.
    const stack = await startStack(proxied, { retryPolicy: retryPolicyOf(readConfig({})) })
    onCleanup(stack.stop)
    return stack
  })
  .extend('gateway', { scope: 'file' }, async ({ proxy, stack }, { onCleanup }) => {
    const gateway = await startGateway(proxy.url, stack)
    onCleanup(gateway.stop)
    return gateway
  })

test('without PostgreSQL everything else in Restate answers, nothing is lost, and all is counted when it is back', async ({
  db,
  proxy,
  stack,
  gateway,
}) => {
  const addresses = { gatewayUrl: gateway.url, ingressUrl: stack.ingressUrl, adminUrl: stack.adminUrl }
  const report = await runOutage({ db, proxy, ...addresses, outageMs: OUTAGE_MS, aroundMs: 1_500 })
  console.log(JSON.stringify(report))
  expect(report.probed.failures).toEqual([])
  expect(report.probed.answered).toBeGreaterThan(0)
  // Of the load's own clock, which a busy machine slows down too: 10 s. A probe that has no place waits until PostgreSQL is back.
  expect(report.probed.ticksMax).toBeLessThan(100)
  // A busy machine answers late, but never for want of a place: Restate has 512.
  expect(report.placesMax).toBeLessThan(256)
  expect(report.requests).toMatchObject({ refused: 0, unknown: 0 })
  expect(report.calls.unknown).toBe(0)
  // Some keep their places, and many more were sent than there are places.
  expect(report.calls.waiting).toBeGreaterThan(0)
  expect(report).toMatchObject({ lost: 0, recordedThoughRefused: 0, drift: 0 })
  const paused = await query(stack, "select id, target from sys_invocation where status = 'paused'")
  expect(paused).toEqual([])
}, 180_000)
