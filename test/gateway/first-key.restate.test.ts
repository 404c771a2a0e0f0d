import { sql } from 'kysely'
import { expect } from 'vitest'
import { until } from '../../src/main/embedded/until.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'
import { READ } from '../harness/items/keys.ts'

const KEYS = '/api/v1/keys'

test('the first key over HTTP closes the door that was open to this machine', async ({ gateway: { url }, db }) => {
  const make = (name: string, headers: Record<string, string> = {}) =>
    fetch(url + KEYS, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ name, scopes: ['read', 'manage'] }),
    })
  expect((await fetch(url + KEYS)).status).toBe(200)
  expect((await make('evil', { origin: 'https://evil.example' })).status).toBe(403)
  // Two at the same moment: one is the first.
  const answers = await Promise.all([make('one'), make('two')])
  expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([201, 403])
  const { rows } = await sql<{ name: string }>`select name from api_key`.execute(db)
  expect(rows).toHaveLength(1)
  expect((await sql`select actor, action from audit_entry where resource_type = 'key'`.execute(db)).rows).toEqual([
    { actor: 'local', action: 'key.create' },
  ])
  expect(await until(async () => (await fetch(url + READ)).status === 401, 5_000)).toBe(true)
  expect((await make('three')).status).toBe(401)
})
