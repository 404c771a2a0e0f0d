import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../../src/main/embedded/until.ts'
import { type Attacker, type AttackTarget, type Outcome, startAttacker } from '../harness/clients/attacker.ts'
import { findChromium } from '../harness/clients/chromium.ts'
import { runCommandProcess } from '../harness/programs/command-process.ts'
import { type Program, startProgram } from '../harness/programs/program.ts'
import { startTestRestate } from '../harness/servers/restate.ts'

const CHROMIUM = findChromium()
if (CHROMIUM === undefined) console.warn('There is no Chromium here: install one, or name it in CHROMIUM_PATH.')
const TIMEOUT_MS = 300_000

const payment = (callback_id: string, seller_id: string) =>
  JSON.stringify({
    ...{ provider: 'acme-pay', callback_id, payment_ref: callback_id, order_id: callback_id, status: 'success', currency: 'EUR' },
    ...{ account_id: 'ada', occurred_at: '2026-03-01T12:00:00Z' },
    items: [{ product_id: 'lamp', seller_id, quantity: 1, unit_price: 4_990 }],
  })
const interactions = JSON.stringify({
  interactions: [{ account_id: 'eve', event_type: 'purchase', ref_type: 'Product', ref_id: 'loot' }],
})
const MARCH = { start: '2026-03-01', end: '2026-03-07' }
const DASHBOARD = `/api/v1/analytic/seller-dashboard?seller_id=north-light&start=${MARCH.start}&end=${MARCH.end}`

/** What a page would like to do, by the variable of the port. */
const WISHES = {
  RESTATE_INGRESS_PORT: [
    { path: '/restate/health' },
    { path: '/Analytic/SellerDashboard', body: JSON.stringify({ seller_id: 'north-light', ...MARCH }) },
    { path: '/Analytic/RecordPayment', body: payment('theft', 'thief') },
    { path: '/Analytic/CreateInteraction', body: interactions },
    { path: '/restate/send/Analytic/CreateInteraction', body: interactions },
    { path: '/Schedule/sweep/Stop' },
    { path: '/restate/call/Schedule/sweep/Stop' },
    { path: '/restate/send/Schedule/sweep/Stop', body: '{}' },
    { path: '/Schedule/sweep/Stop', body: '{}' },
  ],
  RESTATE_ADMIN_PORT: [
    { path: '/services' },
    { path: '/deployments' },
    { path: '/ui/' },
    { path: '/query', body: JSON.stringify({ query: 'select * from sys_invocation' }) },
    { path: '/deployments', body: JSON.stringify({ uri: 'http://evil.test/', force: true }) },
  ],
  RESTATE_NODE_PORT: [{ path: '/metrics' }, { path: '/metrics', body: '{}' }],
  ENDPOINT_METRICS_PORT: [{ path: '/metrics' }, { path: '/health' }],
  ENDPOINT_PORT: [{ path: '/discover' }, { path: '/invoke/Analytic/CreateInteraction', body: interactions }],
  POSTGRES_PORT: [{ path: '/' }, { path: '/', body: 'select 1' }],
  GATEWAY_PORT: [
    { path: DASHBOARD },
    { path: '/api/v1/schedules' },
    { path: '/api/v1/analytic/interaction', body: interactions },
    { path: '/api/v1/orders/payment/callback', body: payment('theft', 'thief') },
  ],
}
type PortName = keyof typeof WISHES
const PORTS = Object.keys(WISHES) as PortName[]

/** A page may read why it is refused. The endpoint and PostgreSQL do not speak HTTP/1.1, so no request of a page reaches them. */
const REFUSED = /^(failed|opaque|silent|40[13] |read .{0,60}(the Host header must be|web pages elsewhere|show a key))/

const successes = (outcomes: readonly Outcome[]) => outcomes.filter(({ outcome }) => !REFUSED.test(outcome))

describe.skipIf(CHROMIUM === undefined)('a page of another site', () => {
  let attacker: Attacker
  beforeAll(async () => {
    attacker = await startAttacker(CHROMIUM!)
  })
  afterAll(() => attacker.stop())

  test('reads and calls a Restate without the guard, so the attack is a real one', { timeout: TIMEOUT_MS }, async () => {
    const restate = await startTestRestate()
    const elsewhere = await attacker.fromElsewhere([{ url: `${restate.ingressUrl}/restate/health` }])
    const rebound = await attacker.afterRebinding(new URL(restate.adminUrl).port, [
      { path: '/services' },
      { path: '/query', body: JSON.stringify({ query: 'select 1' }) },
    ])
    await restate.stop()
    expect(successes(elsewhere).map(({ way }) => way)).toContain('fetch with credentials')
    expect(successes(rebound).map(({ way }) => way)).toEqual(
      expect.arrayContaining(['fetch', 'frame', 'window', 'fetch of JSON']),
    )
  })

  test('reads nothing and does nothing on a machine with npm start', { timeout: TIMEOUT_MS }, async () => {
    const program = await startProgram()
    try {
      await ask(program, 'RESTATE_INGRESS_PORT', '/Analytic/RecordPayment', payment('sale', 'north-light'))
      const before = await stateOf(program)
      expect(before).toMatchObject({ revenue: { 'north-light': 4_990, thief: 0 }, loot: 404 })

      expect(successes(await attackAll(program, attacker, PORTS))).toEqual([])
      expect(await stateOf(program)).toEqual(before)

      const made = await runCommandProcess(['key', 'create', 'shop', '--scope', 'read'], program.environment)
      const key = /ff_\w+/.exec(made.output)![0]
      const statusOf = async () => (await fetch(program.urlOf('GATEWAY_PORT') + DASHBOARD)).status
      expect(await until(async () => (await statusOf()) === 401, 10_000)).toBe(true)
      expect(successes(await attackAll(program, attacker, ['GATEWAY_PORT']))).toEqual([])
      expect(await stateOf(program, key)).toEqual(before)
    } finally {
      await program.stop()
    }
  })
})

/** Both kinds of pages, on every port. @throws when a page did not report. */
async function attackAll(program: Program, attacker: Attacker, ports: readonly PortName[]): Promise<Outcome[]> {
  const targets: AttackTarget[] = ports.flatMap((port) =>
    WISHES[port].map(({ path, ...rest }) => ({ url: program.urlOf(port) + path, ...rest })),
  )
  const outcomes = await attacker.fromElsewhere(targets)
  for (const port of ports) {
    outcomes.push(...(await attacker.afterRebinding(new URL(program.urlOf(port)).port, WISHES[port])))
  }
  const reached = new Set(outcomes.map(({ url }) => new URL(url).port))
  expect(reached.size).toBe(ports.length)
  return outcomes
}

async function ask(program: Program, port: PortName, path: string, body?: string, key?: string) {
  return fetch(program.urlOf(port) + path, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'content-type': 'application/json', ...(key !== undefined && { authorization: `Bearer ${key}` }) },
    ...(body !== undefined && { body }),
  })
}

/** What a successful page would have changed. */
async function stateOf(program: Program, key?: string) {
  const revenueOf = async (seller: string) => {
    const answer = await ask(program, 'GATEWAY_PORT', DASHBOARD.replace('north-light', seller), undefined, key)
    return ((await answer.json()) as { data: { summary: { total_revenue: number } } }).data.summary.total_revenue
  }
  const schedule = await ask(program, 'RESTATE_INGRESS_PORT', '/Schedule/sweep/Info', '{}')
  const loot = await ask(program, 'GATEWAY_PORT', '/api/v1/analytic/popularity/loot', undefined, key)
  const deployments = await ask(program, 'RESTATE_ADMIN_PORT', '/deployments')
  return {
    revenue: { 'north-light': await revenueOf('north-light'), thief: await revenueOf('thief') },
    isSweeping: ((await schedule.json()) as { running: boolean }).running,
    loot: loot.status,
    deployments: await deployments.json(),
  }
}
