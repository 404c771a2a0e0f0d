import { setImmediate as afterPoll, setTimeout as sleep } from 'node:timers/promises'
import { isSecret, listApiKeys, partsOfKey, type SecretApiKey } from '../../store/access/api-key.ts'
import type { Database } from '../../store/database/connection.ts'
import { isUnavailable } from '../../store/database/sql-state.ts'

/** The greatest age of the keys, and so the delay until a new or revoked key takes effect. They are read again from half of it on. */
export const KEYS_MS_MAX = 1_000
/** How long a request waits for a read of keys that are too old, before it is decided by the last known ones. */
const PATIENCE_MS = 2_000

export interface Keys {
  /** Whether a key was ever made: from then on every request needs one. */
  areUsed: boolean
  /** The key of this text; undefined when it is unknown, revoked or wrong, after the same amount of work. */
  find: (text: string) => SecretApiKey | undefined
  /** The key of this id; undefined when there is none, or it was revoked. */
  ofId: (keyId: string) => SecretApiKey | undefined
  /** Pages of these origins may call. */
  origins: ReadonlySet<string>
}

/** Compared when the id is unknown, so that it takes as long as a wrong secret. */
const NO_KEY = { secretSha256: Buffer.alloc(32) }

/**
 * Keeps the keys in memory, so that requests do not wait for the database. While the database is away the last known keys stay good,
 * because no key can be revoked then. `db` should be a connection of its own, so that busy readers do not look like an outage.
 */
export function createKeyRing(db: Database, onUnavailable: (error: unknown) => void): () => Promise<Keys> {
  let known: { keys: Keys; atMs: number } | undefined
  let asking: Promise<Keys> | undefined
  let askingSinceMs = 0

  const ask = async (): Promise<Keys> => {
    const askedMs = performance.now()
    try {
      known = { keys: keysOf(await listApiKeys(db)), atMs: askedMs }
    } catch (error) {
      if (known === undefined || !isUnavailable(error)) throw error
      onUnavailable(error)
      known.atMs = performance.now()
    }
    return known.keys
  }

  const askOnce = () => {
    if (asking === undefined) {
      askingSinceMs = performance.now()
      asking = ask().finally(() => {
        asking = undefined
      })
    }
    return asking
  }

  const lastKnown = async (keys: Keys) => {
    await sleep(Math.max(0, askingSinceMs + PATIENCE_MS - performance.now()))
    // A busy process runs timers before it reads from sockets: an answer may have arrived.
    await afterPoll()
    return known?.keys ?? keys
  }

  return async () => {
    if (known === undefined) return askOnce()
    const { keys, atMs } = known
    const ageMs = performance.now() - atMs
    if (ageMs < KEYS_MS_MAX / 2) return keys
    const asked = askOnce()
    if (ageMs >= KEYS_MS_MAX) return Promise.race([asked, lastKnown(keys)])
    asked.catch(() => undefined)
    return keys
  }
}

function keysOf(all: readonly SecretApiKey[]): Keys {
  const active = new Map(all.filter((key) => key.revokedAt === null).map((key) => [key.keyId, key]))
  return {
    areUsed: all.length > 0,
    find: (text) => {
      const parts = partsOfKey(text)
      const key = parts && active.get(parts.keyId)
      return isSecret(parts?.secret ?? '', (key ?? NO_KEY).secretSha256) ? key : undefined
    },
    ofId: (keyId) => active.get(keyId),
    origins: new Set(all.filter((key) => key.revokedAt === null).flatMap((key) => key.origins)),
  }
}
