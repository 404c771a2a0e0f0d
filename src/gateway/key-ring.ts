import { setTimeout as sleep } from 'node:timers/promises'
import { isSecret, listApiKeys, partsOfKey, type SecretApiKey } from '../store/api-key.ts'
import type { Store } from '../store/database.ts'

/** The keys as they were at most this long ago: how soon a new or revoked key is known without a restart. */
export const KEYS_MS_MAX = 1_000
/** How long requests wait for newer keys when some are known: a database that is cut off answers nothing for minutes. */
const PATIENCE_MS = 1_000

export interface Keys {
  /** Whether a key was ever made: from then on nobody gets in without one. */
  areUsed: boolean
  /** The key of this text; undefined when it is unknown, revoked or wrong, after the same work. */
  find: (text: string) => SecretApiKey | undefined
  /** Pages of these origins may call. */
  origins: ReadonlySet<string>
}

/** Compared with when there is no such key, so that an unknown id takes as long as a wrong secret. */
const NOBODY = { secretSha256: Buffer.alloc(32) }

/**
 * Knows the keys without asking the database for each request. When the database is away, nobody can revoke a key
 * either, and the last known keys stay good.
 */
export function createKeyRing(db: Store): () => Promise<Keys> {
  let known: { keys: Keys; atMs: number } | undefined
  let asking: Promise<Keys> | undefined

  const ask = async (): Promise<Keys> => {
    const askedMs = performance.now()
    const answer = listApiKeys(db)
    try {
      known = { keys: keysOf(await (known === undefined ? answer : inTime(answer))), atMs: askedMs }
    } catch (error) {
      if (known === undefined) throw error
      // From now and not from the question on: else every request would wait as long.
      known.atMs = performance.now()
    }
    return known.keys
  }

  return () => {
    if (known !== undefined && performance.now() - known.atMs < KEYS_MS_MAX) return Promise.resolve(known.keys)
    asking ??= ask().finally(() => {
      asking = undefined
    })
    return asking
  }
}

/** @throws when the answer is not there in time; it is then forgotten. */
function inTime<T>(answer: Promise<T>): Promise<T> {
  const late = sleep(PATIENCE_MS, undefined, { ref: false }).then(() => {
    throw new Error(`no keys after ${PATIENCE_MS} ms`)
  })
  return Promise.race([answer, late])
}

function keysOf(all: readonly SecretApiKey[]): Keys {
  const active = new Map(all.filter((key) => key.revokedAt === null).map((key) => [key.keyId, key]))
  return {
    areUsed: all.length > 0,
    find: (text) => {
      const parts = partsOfKey(text)
      const key = parts && active.get(parts.keyId)
      return isSecret(parts?.secret ?? '', (key ?? NOBODY).secretSha256) ? key : undefined
    },
    origins: new Set(all.filter((key) => key.revokedAt === null).flatMap((key) => key.origins)),
  }
}
