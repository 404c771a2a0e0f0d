import { hash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { ClientOfflineError, createClient, ErrorReply } from '@redis/client'

export interface RedisOptions {
  /** redis:// or rediss://, with the user and the password if there are any. */
  url: string
  /** How long a call waits for its answer. */
  deadlineMs?: number
  /** Called for each call that failed, and for each lost connection. */
  onFailed: (error: unknown) => void
}

export interface Redis {
  /** Runs a script in one round trip. @throws when Redis is away, or does not answer in time. */
  run: (script: RedisScript, keys: readonly string[], values: readonly string[]) => Promise<unknown>
  stop: () => Promise<void>
}

export interface RedisScript {
  text: string
  sha1: string
}

const DEADLINE_MS = 250
const CONNECT_MS_MAX = 2_000
const RECONNECT_MS = { first: 50, max: 2_000 }
/** Calls that wait for their answers. A further one fails. */
const CALLS_MAX = 10_000
/** A connection without an answer for so long is given up: the kernel would wait for minutes. */
const SILENT_MS_MAX = 3_000
/** So that a connection which a firewall dropped is noticed before the next call. */
const PING_MS = 5_000
/** A connection on which nothing comes for so long is closed: no answer to a ping, or none when it began. */
const IDLE_MS_MAX = 2 * PING_MS

export function redisScript(text: string): RedisScript {
  return { text, sha1: hash('sha1', text, 'hex') }
}

/** A connection that is made again for as long as it takes. While there is none, calls fail at once instead of waiting for it. */
export function createRedis({ url, deadlineMs = DEADLINE_MS, onFailed }: RedisOptions): Redis {
  let isStopped = false
  /** Why there is no connection, e.g. a wrong password. */
  let lostBy: unknown
  const open = () => {
    const client = createClient({
      url,
      disableOfflineQueue: true,
      commandsQueueMaxLength: CALLS_MAX,
      pingInterval: PING_MS,
      socket: {
        connectTimeout: CONNECT_MS_MAX,
        socketTimeout: IDLE_MS_MAX,
        reconnectStrategy: (retries) =>
          Math.min(RECONNECT_MS.first * 2 ** Math.min(retries, 10), RECONNECT_MS.max) * (0.5 + Math.random() / 2),
      },
    })
    client.on('error', (error: unknown) => {
      lostBy = error
      onFailed(error)
    })
    // It fails only when it is stopped, because every other failure is tried again.
    client.connect().catch(() => undefined)
    return client
  }
  let client = open()
  /** When the oldest call without an answer since then was sent, by performance.now(). */
  let silentSinceMs: number | undefined

  const isAnswered = () => {
    silentSinceMs = undefined
  }

  const close = (closed: typeof client) => {
    try {
      closed.destroy()
    } catch {
      // It was not open.
    }
  }

  const renewWhenSilent = () => {
    if (isStopped || silentSinceMs === undefined || performance.now() - silentSinceMs < SILENT_MS_MAX) return
    silentSinceMs = undefined
    close(client)
    client = open()
  }

  const evaluate = async ({ sha1, text }: RedisScript, keys: readonly string[], values: readonly string[]) => {
    const rest = [String(keys.length), ...keys, ...values]
    try {
      return await client.sendCommand(['EVALSHA', sha1, ...rest])
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
      return client.sendCommand(['EVAL', text, ...rest])
    }
  }

  const withDeadline = async (answer: Promise<unknown>) => {
    const done = new AbortController()
    const late = sleep(deadlineMs, undefined, { signal: done.signal }).then(() => {
      throw new Error(`Redis did not answer within ${deadlineMs} ms`)
    })
    late.catch(() => undefined)
    try {
      return await Promise.race([answer, late])
    } finally {
      done.abort()
    }
  }

  return {
    run: async (script, keys, values) => {
      const sentMs = performance.now()
      const answer = evaluate(script, keys, values)
      if (client.isReady) silentSinceMs ??= sentMs
      answer.then(isAnswered, (error: unknown) => error instanceof ErrorReply && isAnswered())
      try {
        return await withDeadline(answer)
      } catch (error) {
        renewWhenSilent()
        throw error instanceof ClientOfflineError ? new Error('Redis is not connected', { cause: lostBy }) : error
      }
    },
    stop: async () => {
      isStopped = true
      close(client)
    },
  }
}
