import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { databaseAddresses, type Route } from './addresses.ts'
import { isUnavailable, sqlState } from './sql-state.ts'
import { UnavailableError } from './unavailable-error.ts'

/** How long a connection to one of several addresses may take. */
const OPEN_MS_MAX = 2_000
/** Each address is tried twice, because a primary may just begin to take writes. */
const ROUNDS = 2
const PAUSE_MS = 100
/** After so long without a byte a connection asks whether its server is still there, because a machine may be gone without a word. */
const SILENT_MS_MAX = 3_000

/** A connection leads to a standby, which takes no writes. */
class StandbyError extends UnavailableError {
  override readonly name = 'StandbyError'
}

/** None of several addresses leads to a PostgreSQL that takes writes. */
export class NoPrimaryError extends UnavailableError {
  override readonly name = 'NoPrimaryError'
}

/** Clients whose server turned out to take no writes. Their pool must not use them again. */
const stale = new WeakSet<pg.ClientBase>()

/**
 * A client that opens its connection where the route leads. It fails at a standby, which PostgreSQL says of itself at the start of each
 * session. With a statement that was refused because the server takes no writes (25006), the route leaves this address too.
 */
export function clientOn(route: Route, isReadOnly: boolean): typeof pg.Client {
  return class extends pg.Client {
    readonly #address: string
    #isStandby = false

    constructor(options?: pg.ClientConfig) {
      const address = route.current()
      super({ ...options, connectionString: address, connectionTimeoutMillis: OPEN_MS_MAX })
      this.#address = address
      const { connection } = this as unknown as { connection: NodeJS.EventEmitter }
      connection.on('parameterStatus', ({ parameterName, parameterValue }: Record<string, string>) => {
        if (parameterName === 'in_hot_standby') this.#isStandby = parameterValue === 'on'
      })
      connection.on('errorMessage', ({ code }: { code?: string }) => {
        if (code === '25006' && !isReadOnly) this.#leave()
      })
    }

    override connect(): Promise<this>
    override connect(callback: (error: Error) => void): void
    override connect(callback?: (error: Error) => void): Promise<this> | void {
      const connected = this.#open()
      if (callback === undefined) return connected
      connected.then(
        () => process.nextTick(callback, undefined),
        (error: unknown) => process.nextTick(callback, error),
      )
    }

    async #open(): Promise<this> {
      try {
        await super.connect()
        if (this.#isStandby) throw new StandbyError(`PostgreSQL at ${shown(this.#address)} is a standby`)
        this.#watch()
        return this
      } catch (error) {
        if (isAway(error)) this.#leave()
        // An error of a connection that is not used any more ends no process.
        this.on('error', () => undefined)
        if (error instanceof StandbyError) void this.end()
        throw error
      }
    }

    #watch(): void {
      const { stream } = (this as unknown as { connection: { stream: Socket } }).connection
      stream.setTimeout(SILENT_MS_MAX)
      stream.on('timeout', () => {
        void isPrimary(this.#address).then((isThere) => {
          if (isThere) return stream.setTimeout(SILENT_MS_MAX)
          this.#leave()
          return stream.destroy(new Error('Connection terminated because the server does not answer any more'))
        })
      })
    }

    #leave(): void {
      stale.add(this)
      route.leave(this.#address)
    }
  }
}

/** Gives a connection of the pool to the primary among several addresses. @throws NoPrimaryError when none of them is one. */
export async function connectionToPrimary(pool: pg.Pool, { count }: Route): Promise<pg.PoolClient> {
  for (let attempt = 1; ; attempt++) {
    try {
      const client = await pool.connect()
      return releasedWhenStale(client)
    } catch (error) {
      if (!isAway(error) || isCrowded(error)) throw error
      if (attempt === ROUNDS * count) throw noPrimary(count, error)
      if (attempt % count === 0) await sleep(PAUSE_MS)
    }
  }
}

function releasedWhenStale(client: pg.PoolClient): pg.PoolClient {
  const release = client.release.bind(client)
  client.release = (error) => release(error === undefined || error === false ? stale.has(client) : error)
  return client
}

/** Whether one of several addresses leads to a PostgreSQL that takes writes. It does not wait for the others, one of which may be silent. */
export async function hasPrimary(text: string): Promise<boolean> {
  const found = databaseAddresses(text).map(async (address) => {
    if (!(await isPrimary(address))) throw new StandbyError(`PostgreSQL at ${shown(address)} takes no writes`)
    return true
  })
  return Promise.any(found).catch(() => false)
}

/** The first of several addresses that leads to a PostgreSQL that takes writes, or the only address. @throws NoPrimaryError */
export async function primaryOf(text: string): Promise<string> {
  const addresses = databaseAddresses(text)
  if (addresses.length === 1) return text
  const found = await Promise.all(addresses.map(isPrimary))
  const first = addresses[found.indexOf(true)]
  if (first === undefined) throw noPrimary(addresses.length)
  return first
}

/** A server that has too many connections is one as well. */
async function isPrimary(address: string): Promise<boolean> {
  const Client = clientOn({ count: 1, current: () => address, leave: () => undefined }, true)
  const client = new Client()
  client.on('error', () => undefined)
  try {
    await client.connect()
    return true
  } catch (error) {
    return !isAway(error)
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** Whether all connections of the pool were in use for as long as its callers wait. Another address gives it no more of them. */
function isCrowded(error: unknown): boolean {
  return error instanceof Error && /timeout exceeded when trying to connect/i.test(error.message)
}

function noPrimary(count: number, cause?: unknown): NoPrimaryError {
  return new NoPrimaryError(`none of the ${count} addresses of DATABASE_URL leads to a PostgreSQL that takes writes`, { cause })
}

/** A server that has too many connections (class 53) is not away: its standbys would not take the work. */
function isAway(error: unknown): boolean {
  return isUnavailable(error) && !/^53/.test(sqlState(error) ?? '')
}

function shown(address: string): string {
  const { host, pathname } = new URL(address)
  return `${host}${pathname}`
}
