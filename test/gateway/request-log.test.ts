import { pino } from 'pino'
import { expect, test } from 'vitest'
import { createLineSample } from '../../src/gateway/http/line-sample.ts'
import { createGateway } from '../../src/gateway/server.ts'
import { connect } from '../../src/store/database/connection.ts'
import { gatewayDepsOf } from '../harness/servers/gateway.ts'
import { ONLY_KEYS } from '../harness/items/known-key.ts'

const NO_KEYS = { areUsed: false, find: () => undefined, ofId: () => undefined, origins: new Set<string>() }
/** A path that fills the headers that the gateway takes. */
const LONG = `/${'x'.repeat(126_000)}`

/** A gateway that reaches nothing, with the lines of its log at a level. */
async function loggingGateway(level: 'debug' | 'info') {
  const lines: string[] = []
  const db = connect({ url: 'postgres://127.0.0.1:1/none', name: 'test' })
  const access = { ...ONLY_KEYS, keys: async () => NO_KEYS }
  const deps = gatewayDepsOf({ db, ingressUrl: 'http://127.0.0.1:1' }, { access })
  const app = await createGateway({ ...deps, log: pino({ level }, { write: (line) => void lines.push(line) }) })
  return {
    get: (url: string) => app.inject({ url }),
    lines: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
    bytes: () => lines.join('').length,
    [Symbol.asyncDispose]: () => Promise.all([app.close(), db.destroy()]).then(() => undefined),
  }
}

test('a flood of long and unknown paths writes a few short lines', async () => {
  await using gateway = await loggingGateway('info')
  for (let n = 0; n < 50; n++) {
    const { statusCode, body } = await gateway.get(LONG + n)
    expect([statusCode, body.length < 500]).toEqual([404, true])
  }
  // Twice when the minute ends between two of them.
  expect(gateway.lines().length).toBeLessThanOrEqual(20)
  expect(gateway.bytes() / gateway.lines().length).toBeLessThan(500)
  expect(gateway.lines()[0]).toMatchObject({ status: 404, path: `${LONG.slice(0, 200)}…` })
})

test('an address of a route is logged by its pattern, without its query', async () => {
  await using gateway = await loggingGateway('info')
  await gateway.get('/api/v1/analytic/popularity/lamp?window=nonsense&key=ffp_1')
  expect(gateway.lines()).toMatchObject([{ status: 400, route: '/api/v1/analytic/popularity/:product_id' }])
  expect(JSON.stringify(gateway.lines())).not.toMatch(/lamp|nonsense|ffp_1/)
})

test('each status has its own lines, and failures are not left out for mistakes of callers', async () => {
  await using gateway = await loggingGateway('info')
  for (let n = 0; n < 30; n++) await gateway.get('/nothing')
  await gateway.get('/api/v1/analytic/popularity/top?limit=x')
  await gateway.get('/api/v1/analytic/popularity/top')
  expect(gateway.lines().slice(-2)).toMatchObject([{ status: 400 }, { status: 503, err: expect.anything() }])
})

test('at the level debug every request has its line', async () => {
  await using gateway = await loggingGateway('debug')
  for (let n = 0; n < 30; n++) await gateway.get('/nothing')
  expect(gateway.lines().filter(({ msg }) => msg === 'request')).toHaveLength(30)
})

test('ten lines of a kind are shown in a minute, and the next one tells how many were left out', () => {
  let nowMs = 0
  const sample = createLineSample(() => nowMs)
  const shownOf = (kind: string, count: number) =>
    Array.from({ length: count }, () => sample(kind)).filter(({ isShown }) => isShown)
  expect(shownOf('404', 100)).toHaveLength(10)
  expect(shownOf('401', 5)).toHaveLength(5)
  nowMs = 60_000
  expect(sample('404')).toEqual({ isShown: true, leftOut: 90 })
  expect(sample('404')).toEqual({ isShown: true, leftOut: 0 })
  expect(sample('401')).toEqual({ isShown: true, leftOut: 0 })
  nowMs = 600_000
  expect(shownOf('404', 11)).toHaveLength(10)
})
