import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { checkPrepared } from '../../src/main/database/check-prepared.ts'
import { connect, type ConnectOptions, type Database } from '../../src/store/database/connection.ts'
import { isAnswering } from '../../src/store/database/is-answering.ts'
import { NoPrimaryError, primaryOf } from '../../src/store/database/primary.ts'
import { onlyRow } from '../../src/store/database/rows.ts'
import { isUnavailable } from '../../src/store/database/sql-state.ts'
import { type Standby, startPrimary, startStandby, type TestServer } from '../harness/servers/standby.ts'
import { startTcpProxy, type TcpProxy } from '../harness/servers/tcp-proxy.ts'

let primary: TestServer
let standby: Standby
let proxy: TcpProxy
beforeAll(async () => {
  primary = await startPrimary()
  standby = await startStandby(primary)
  proxy = await startTcpProxy(primary.url)
})
afterAll(async () => {
  await proxy.cut().catch(() => undefined)
  await Promise.all([primary.remove(), standby.remove()])
})

const GONE = 'postgres://postgres:test@127.0.0.1:1/postgres'

function poolOn(urls: string[], options: Partial<ConnectOptions> = {}): Database {
  const db = connect({ url: urls.join(','), name: 'follow', connectionsMax: 2, ...options })
  onTestFinished(() => db.destroy())
  return db
}

async function portOf(db: Database): Promise<number> {
  return onlyRow(await sql<{ port: number }>`select current_setting('port')::int as port`.execute(db)).port
}

async function write(db: Database, n: number): Promise<void> {
  await sql`insert into written values (${n})`.execute(db)
}

describe('with several addresses', () => {
  test('connections lead to the primary, in each order, and for readers too', async () => {
    for (const urls of [
      [standby.url, primary.url],
      [primary.url, standby.url],
      [GONE, standby.url, primary.url],
    ]) {
      expect(await portOf(poolOn(urls))).toBe(primary.port)
      expect(await portOf(poolOn(urls, { readOnly: true }))).toBe(primary.port)
      expect(await isAnswering(urls.join(','))).toBe(true)
      expect(await primaryOf(urls.join(','))).toBe(primary.url)
    }
  })

  test('none of which takes writes, PostgreSQL is away', async () => {
    const urls = [standby.url, GONE]
    const failed = await portOf(poolOn(urls)).catch((error: unknown) => error)
    expect(failed).toBeInstanceOf(NoPrimaryError)
    expect(isUnavailable(failed)).toBe(true)
    expect(await isAnswering(urls.join(','))).toBe(false)
    await expect(primaryOf(urls.join(','))).rejects.toThrow(NoPrimaryError)
    await expect(checkPrepared(urls.join(','), 'refuse')).rejects.toThrow(
      'None of the addresses of DATABASE_URL leads to a PostgreSQL that takes writes: start the primary, or promote a standby.',
    )
  })

  test('PostgreSQL answers as soon as one of them is the primary, while another one is silent', async () => {
    proxy.hold()
    const list = [proxy.url, primary.url].join(',')
    let isFound = false
    const found = primaryOf(list).finally(() => (isFound = true))
    expect([await isAnswering(list), isFound]).toEqual([true, false])
    expect(await found).toBe(primary.url)
    proxy.release()
  })

  test('a wrong password is refused as it is', async () => {
    const url = new URL(primary.url)
    url.password = 'wrong'
    await expect(portOf(poolOn([url.href, GONE]))).rejects.toThrow('password authentication failed')
  })

  test('a running statement is given up when its server is silent and takes no connections, and only then', async () => {
    const db = poolOn([proxy.url, standby.url])
    await sql`select pg_sleep(3.5)`.execute(db)
    const running = sql`select pg_sleep(20)`.execute(db)
    await new Promise((resolve) => setImmediate(resolve))
    proxy.hold()
    await expect(running).rejects.toThrow('Connection terminated')
    proxy.release()
    expect(await portOf(db)).toBe(primary.port)
  })

  test('writers follow the primary to a promoted standby, and lose no acknowledged row', async () => {
    await primary.execute((db) => sql`create table written (n int primary key)`.execute(db))
    await primary.configure({ synchronous_standby_names: '*' })
    const db = poolOn([primary.url, standby.url])
    const acknowledged: number[] = []
    const wrong: unknown[] = []
    const stopped = new AbortController()
    const writing = (async () => {
      for (let n = 0; !stopped.signal.aborted; n++) {
        await write(db, n).then(
          () => acknowledged.push(n),
          (error: unknown) => void (isUnavailable(error) || wrong.push(error)),
        )
      }
    })()
    await expect.poll(() => acknowledged.length).toBeGreaterThan(20)
    await primary.kill()
    await standby.promote()
    const before = acknowledged.length
    await expect.poll(() => acknowledged.length, { timeout: 20_000 }).toBeGreaterThan(before + 20)
    stopped.abort()
    await writing
    expect(wrong).toEqual([])
    const { rows } = await sql<{ n: number }>`select n from written`.execute(db)
    const found = new Set(rows.map(({ n }) => n))
    expect(acknowledged.filter((n) => !found.has(n))).toEqual([])
  })

  test('of which two take writes, the first is used until it refuses a write, and the connection is not used again', async () => {
    // The old primary comes back as it was, which nothing prevents here.
    await primary.start()
    await primary.configure({ synchronous_standby_names: '' })
    const db = poolOn([primary.url, standby.url], { connectionsMax: 1 })
    expect(await portOf(db)).toBe(primary.port)
    await sql`set default_transaction_read_only = on`.execute(db)
    await expect(write(db, -1)).rejects.toThrow('read-only transaction')
    await write(db, -1)
    expect(await portOf(db)).toBe(standby.port)
  })
})
