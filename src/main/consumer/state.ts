import { problemOf } from '../../consumer/problem.ts'

/** What GET /ready of the consumer answers. */
export interface ConsumerState {
  status: 'ready' | 'not_ready'
  /** Whether it reads. */
  kafka: boolean
  /** Whether it can store what it reads. */
  postgresql: boolean
  /** For how long a batch has waited for PostgreSQL. */
  waiting_seconds: number
  /** Topics that do not exist, so that a wrong name is seen. */
  missing_topics: readonly string[]
  last_error: string | null
}

const ERROR_CHARACTERS_MAX = 300

/** Follows the consumer, for GET /ready. */
export function consumerState() {
  let isJoined = false
  let waitingSinceMs: number | undefined
  let lastError: string | null = null
  let missingTopics: readonly string[] = []
  const note = (error: unknown) => {
    lastError = problemOf(error).slice(0, ERROR_CHARACTERS_MAX).toWellFormed()
  }
  return {
    joined: (missing: readonly string[]) => {
      isJoined = true
      missingTopics = missing
      lastError = null
    },
    left: (error: unknown) => {
      isJoined = false
      note(error)
    },
    failed: (error: unknown, isOutage: boolean) => {
      note(error)
      if (isOutage) waitingSinceMs ??= performance.now()
    },
    /** A batch that waited may have gone to another consumer, so this ends the wait too. */
    assigned: () => void (waitingSinceMs = undefined),
    stored: () => {
      waitingSinceMs = undefined
      lastError = null
    },
    answer: (): ConsumerState => ({
      status: isJoined && waitingSinceMs === undefined ? 'ready' : 'not_ready',
      kafka: isJoined,
      postgresql: waitingSinceMs === undefined,
      waiting_seconds: waitingSinceMs === undefined ? 0 : Math.round((performance.now() - waitingSinceMs) / 1_000),
      missing_topics: missingTopics,
      last_error: lastError,
    }),
  }
}
