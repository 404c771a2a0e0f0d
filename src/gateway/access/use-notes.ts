import type { AccessChange } from '../../store/access/change.ts'
import type { Caller } from './caller.ts'

/** Notes when keys and sessions are used, and has it written now and then, because the gateway itself cannot write. */
export interface UseNotes {
  note: (caller: Caller) => void
  /** Writes what was noted since the last time. */
  flush: () => Promise<void>
}

export const USE_NOTED_MS = 60_000
/** In one call. What is beyond it waits for the next one. */
const NOTED_MAX = 1_000

type Write = (change: AccessChange) => Promise<unknown>

/** What cannot be written is dropped: the next use is noted again. */
export function createUseNotes(write: Write, onFailed: (error: unknown) => void, now: () => number = Date.now): UseNotes {
  const keys = new Map<string, number>()
  const sessions = new Map<string, number>()
  return {
    note: ({ keyId, sessionId, isOfToken }) => {
      if (!isOfToken) keys.set(keyId, now())
      if (sessionId !== undefined) sessions.set(sessionId, now())
    },
    flush: async () => {
      if (keys.size + sessions.size === 0) return
      const change = { change: 'note_use', keys: taken(keys), sessions: taken(sessions) } as const
      await write(change).catch(onFailed)
    },
  }
}

function taken(noted: Map<string, number>): Record<string, string> {
  const some = [...noted].slice(0, NOTED_MAX)
  for (const [id] of some) noted.delete(id)
  return Object.fromEntries(some.map(([id, atMs]) => [id, new Date(atMs).toISOString()]))
}
