import { LRUCache } from 'lru-cache'
import type { Queryable } from '../../store/database/connection.ts'
import type { TaskCaller } from '../http/caller-shares.ts'
import type { ReadLine } from './read-line.ts'

/** An answer is kept for so many times as long as its read took, so that the pages that ask for it keep PostgreSQL busy for a quarter of the time. */
const KEPT_READS = 3
/** … but no longer than this, unless `cacheMs` is longer. */
const KEPT_MS_MAX = 10_000
/** Answers of a page of rows each. */
const ANSWERS_MAX = 200

interface SharedAnswers<Question, Answer> {
  read: (db: Queryable, question: Question) => Promise<Answer>
  /** Equal for equal questions. */
  keyOf: (question: Question) => string
  /** With 0 no answer is kept, and callers share only a read that has not begun. */
  cacheMs: number
}

/** Answers of expensive reads, which all callers share: while one is read, for `cacheMs` after that, and for longer when the read took long. */
export function shareAnswers<Question, Answer extends object>(
  line: ReadLine,
  { read, keyOf, cacheMs }: SharedAnswers<Question, Answer>,
): (question: Question, reader: TaskCaller) => Promise<Answer> {
  const kept = new LRUCache<string, Answer>({ max: ANSWERS_MAX, ttlResolution: 0 })
  const ask = line.shared<Question, Answer>({
    read: async (db, question) => {
      const beganMs = performance.now()
      const answer = await read(db, question)
      const ttl = keptMs(performance.now() - beganMs, cacheMs)
      if (ttl > 0) kept.set(keyOf(question), answer, { ttl })
      return answer
    },
    keyOf,
    joinMs: cacheMs,
  })
  return async (question, reader) => kept.get(keyOf(question)) ?? ask(question, reader)
}

/** How long an answer is kept whose read took so long: so many times as long, within bounds. */
export function keptMs(tookMs: number, cacheMs: number, reads = KEPT_READS): number {
  return cacheMs === 0 ? 0 : Math.max(cacheMs, Math.min(Math.ceil(tookMs * reads), KEPT_MS_MAX))
}
