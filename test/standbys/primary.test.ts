import type pg from 'pg'
import { expect, test } from 'vitest'
import { routeOver } from '../../src/store/database/addresses.ts'
import { connectionToPrimary } from '../../src/store/database/primary.ts'

const route = routeOver('postgres://one/shop,postgres://two/shop')

/** A pool that gives no connection. */
function poolWith(message: string) {
  const pool = { asked: 0, connect: () => Promise.reject(new Error(`${message} ${String(pool.asked++)}`)) }
  return pool as typeof pool & pg.Pool
}

test('a caller that waited for a connection as long as it may does not wait again, and hears nothing of the addresses', async () => {
  const pool = poolWith('timeout exceeded when trying to connect')
  await expect(connectionToPrimary(pool, route)).rejects.toThrow('timeout exceeded when trying to connect 0')
  expect(pool.asked).toBe(1)
})

test('a connection that cannot be opened is tried twice at each address', async () => {
  const pool = poolWith('Connection terminated unexpectedly')
  await expect(connectionToPrimary(pool, route)).rejects.toThrow('none of the 2 addresses')
  expect(pool.asked).toBe(4)
})
