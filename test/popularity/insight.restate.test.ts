import { expect } from 'vitest'
import { explainCommand } from '../../src/cli/commands/explain.ts'
import { ExplanationResponse } from '../../src/contract/explanation.ts'
import { DAY_MS, HOUR_MS, instantOf } from '../../src/contract/fields/time.ts'
import { SeriesResponse } from '../../src/contract/series.ts'
import { WeightsResponse } from '../../src/contract/weights.ts'
import { PRESETS } from '../../src/ranking/weights.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { runCommand } from '../harness/programs/command.ts'
import type { TestGateway } from '../harness/servers/gateway.ts'

/** In the middle of an hour of the past, so that no series ends while a test runs. */
const AT_MS = Math.floor(Date.now() / DAY_MS - 2) * DAY_MS + HOUR_MS / 2
const AS_OF = `as_of=${instantOf(AT_MS + HOUR_MS)}`

test.beforeAll(({ db }) =>
  recordAndCount(db, [
    interaction({ refId: 'lamp', occurredAtMs: AT_MS }),
    interaction({ refId: 'lamp', occurredAtMs: AT_MS, eventType: 'purchase' }),
    interaction({ refId: 'lamp', occurredAtMs: AT_MS, eventType: 'quick_view' }),
  ]),
)

async function ask({ url }: TestGateway, path: string) {
  const answer = await fetch(`${url}/api/v1${path}`)
  return { status: answer.status, json: await answer.json() }
}

test('an explanation says which weights are in force, over REST and through the ingress', async ({ stack, gateway }) => {
  const { status, json } = await ask(gateway, '/analytic/popularity/lamp/explain')
  expect(status).toBe(200)
  const { data } = ExplanationResponse.parse(json)
  expect(data).toMatchObject({ product_id: 'lamp', score: 1.1, weights_version: 1, half_life_hours: 72 })
  expect(data.event_types.map(({ event_type, count, score }) => [event_type, count, score])).toEqual([
    ['purchase', 1, 0.8],
    ['view', 1, 0.3],
    ['quick_view', 1, 0],
  ])
  expect((await ask(gateway, '/analytic/popularity/unknown/explain')).status).toBe(404)
  const call = (product_id: string) =>
    fetch(`${stack.ingressUrl}/Popularity/Explain`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ product_id }),
    })
  expect(await (await call('lamp')).json()).toMatchObject({
    score: 1.1,
    event_types: data.event_types.map(({ count }) => ({ count })),
  })
  expect((await call('unknown')).status).toBe(404)
})

test('the weights in force have their version, the greatest first', async ({ gateway }) => {
  const { json } = await ask(gateway, '/analytic/weights')
  const { data } = WeightsResponse.parse(json)
  expect(data).toMatchObject({ version: 1, name: 'balanced', half_life_hours: 72, trending_hours: 168 })
  expect(Object.fromEntries(data.weights.map(({ event_type, weight }) => [event_type, weight]))).toEqual(PRESETS.balanced)
  expect(data.weights[0]!.weight).toBe(0.8)
  expect((await ask(gateway, '/analytic/event-types')).json).toMatchObject({ meta: { weights: 'balanced', weights_version: 1 } })
})

test('a series takes one product or several, and types', async ({ gateway }) => {
  const one = SeriesResponse.parse((await ask(gateway, `/products/series?product_ids=lamp&${AS_OF}`)).json)
  expect(one.data).toEqual([{ product_id: 'lamp', counts: [...Array.from({ length: 23 }, () => 0), 3], event_types: {} }])
  const two = (await ask(gateway, `/products/series?product_ids=none&product_ids=lamp&event_types=view&hours=2&${AS_OF}`)).json
  expect(two).toMatchObject({
    data: [
      { product_id: 'none', counts: [0, 0], event_types: { view: [0, 0] } },
      { product_id: 'lamp', counts: [0, 1], event_types: { view: [0, 1] } },
    ],
    meta: { step: 'hour' },
  })
})

test.for([
  ['', 'product_ids', 'is missing'],
  [Array.from({ length: 101 }, (_, n) => `product_ids=p${n}`).join('&'), 'product_ids', '1 to 100'],
  ['product_ids=lamp&hours=0', 'hours', 'from 1 to 8784'],
  ['product_ids=lamp&hours=8785', 'hours', 'from 1 to 8784'],
  ['product_ids=lamp&event_types=No', 'event_types.0', 'a-z'],
  ['product_ids=lamp&as_of=2100-01-01T00:00:00Z', 'as_of', 'now'],
] as const)('a wrong series is refused with the field: %s', async ([query, field, range], { gateway }) => {
  const { status, json } = await ask(gateway, `/products/series?${query}`)
  expect(status).toBe(400)
  const { error } = json as { error: { message: string; details: { field: string }[] } }
  expect(error.details.map((detail) => detail.field)).toContain(field)
  expect(error.message).toContain(range)
})

test('the command shows the parts and their sum', async ({ gateway }) => {
  const { text } = await runCommand(explainCommand(), ['lamp', '--gateway', gateway.url], { FOOTFALL_KEY: '' })
  const cells = text.split('\n').map((line) => line.split('│').map((cell) => cell.trim().replaceAll("'", '')))
  expect(cells.filter((line) => line.length > 5).map((line) => [line[2], line[3], line[5]])).toEqual([
    ['event_type', 'count', 'score'],
    ['purchase', '1', '0.8'],
    ['view', '1', '0.3'],
    ['quick_view', '1', '0'],
    ['sum', '', '1.1'],
  ])
})
