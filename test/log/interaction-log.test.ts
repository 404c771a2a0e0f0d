import { expect, test } from 'vitest'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'

const [EARLIER, LATER] = ['2026-03-01T12:00:00Z', '2026-03-01T14:00:00%2B01:00']

test.for([
  [`from=2026-03-01T13:00:01Z&to=${LATER}`, 400],
  [`from=2026-03-01T13:00:00Z&to=${LATER}`, 503],
  [`from=${EARLIER}&to=${LATER}`, 503],
] as const)('a range of the log that ends before it begins is refused: %s', async ([query, status]) => {
  await using gateway = await offlineGateway()
  const answer = await gateway.app.inject({ url: `/api/v1/analytic/interactions?${query}`, headers: { host: 'localhost:3000' } })
  expect(answer.statusCode).toBe(status)
  if (status === 400)
    expect(answer.json()).toMatchObject({ error: { details: [{ field: 'from', message: 'must not be after to' }] } })
})
