import { DecidedError } from '../../contract/decided-error.ts'
import { cancellable } from '../../store/database/cancellable.ts'
import type { Queryable } from '../../store/database/connection.ts'
import type { TaskCaller } from '../http/caller-shares.ts'
import { createTurns, NoTurnError, type TurnLimits } from '../http/turns.ts'
import type { ReadSource, ReadWish } from '../standbys/read-source.ts'
import { createReading, type Reading, type ReadingOptions } from './reading.ts'

export interface ReadLineOptions extends TurnLimits {
  source: ReadSource
  /** How long a read waits for its turn. */
  waitMsMax: number
}

/** A line in which reads of the database wait for their turns. When their callers hang up, they leave it, or are cancelled. */
export interface ReadLine {
  /** Reads for one caller. @throws DecidedError `unavailable` when too many reads wait, or it waited too long. */
  read: <Answer>(reader: TaskCaller, read: (db: Queryable) => Promise<Answer>) => Promise<Answer>
  /**
   * Makes a function that reads once for all callers that ask the same at the same time. It throws as `read` does. A caller that wants to see what
   * it has written reads for itself.
   */
  shared: <Question, Answer>(shared: SharedRead<Question, Answer>) => (question: Question, reader: TaskCaller) => Promise<Answer>
}

export interface SharedRead<Question, Answer> {
  /** The signal is aborted when every caller has hung up; `db` cancels its statements then. */
  read: (db: Queryable, question: Question, signal: AbortSignal) => Promise<Answer>
  /** Equal for equal questions. */
  keyOf: (question: Question) => string
  /** Callers that arrive so long after a read began still share it. Later ones share the next read, which begins when it has ended. */
  joinMs: number
}

const TOO_MANY = 'reads of this kind get no turn: too many wait here, or PostgreSQL does not answer; ask again'

export function createReadLine({ source, waitMsMax, ...limits }: ReadLineOptions): ReadLine {
  const turns = createTurns(limits)
  const readAlone = <Answer>(reader: TaskCaller, read: ReadOnce<Answer>): Promise<Answer> => {
    const ask = () => answerOf(readingOf(reader, read, { isHeld: false }), reader)
    return source.caughtUp(reader)?.then(ask) ?? ask()
  }
  const readingOf = <Answer>(
    wish: ReadWish,
    read: ReadOnce<Answer>,
    options: Omit<ReadingOptions<Answer>, 'turns' | 'waitMsMax' | 'read'>,
  ) =>
    createReading({
      ...{ turns, waitMsMax, ...options },
      read: (signal) => source.read(wish, (db) => read(cancellable(db, signal), signal)),
    })
  return {
    read: (reader, read) => readAlone(reader, read),
    shared: <Question, Answer>({ read, ...options }: SharedRead<Question, Answer>) => {
      // The readers of a shared read ask the same operation, so it reads where each of them would.
      const share = shareReadings<Question, Answer>(options, (question, { readsFrom }, ofReading) =>
        readingOf({ readsFrom }, (db, signal) => read(db, question, signal), ofReading),
      )
      return (question: Question, reader: TaskCaller) =>
        reader.minLsn === undefined ? share(question, reader) : readAlone(reader, (db, signal) => read(db, question, signal))
    },
  }
}

type ReadOnce<Answer> = (db: Queryable, signal: AbortSignal) => Promise<Answer>

/** The readings of a question: the one that began last, and the one that its next readers share. */
interface Readings<Answer> {
  begun?: { reading: Reading<Answer>; beganMs: number } | undefined
  next?: Reading<Answer> | undefined
}

type MakeReading<Question, Answer> = (
  question: Question,
  wish: ReadWish,
  options: Pick<ReadingOptions<Answer>, 'isHeld' | 'onBegin' | 'onEnd'>,
) => Reading<Answer>

function shareReadings<Question, Answer>(
  { keyOf, joinMs }: Omit<SharedRead<Question, Answer>, 'read'>,
  make: MakeReading<Question, Answer>,
) {
  const byKey = new Map<string, Readings<Answer>>()

  const makeNext = (
    { key, question, reader }: { key: string; question: Question; reader: TaskCaller },
    readings: Readings<Answer>,
  ): Reading<Answer> => {
    const reading = make(question, reader, {
      isHeld: readings.begun !== undefined,
      onBegin: () => {
        readings.next = undefined
        readings.begun = { reading, beganMs: performance.now() }
      },
      onEnd: () => {
        if (readings.next === reading) readings.next = undefined
        if (readings.begun?.reading === reading) {
          readings.begun = undefined
          readings.next?.release()
        }
        if (readings.begun === undefined && readings.next === undefined) byKey.delete(key)
      },
    })
    return reading
  }

  return (question: Question, reader: TaskCaller): Promise<Answer> => {
    const key = keyOf(question)
    const readings = byKey.get(key) ?? {}
    byKey.set(key, readings)
    const { begun } = readings
    if (begun !== undefined && performance.now() - begun.beganMs < joinMs) return answerOf(begun.reading, reader)
    readings.next ??= makeNext({ key, question, reader }, readings)
    return answerOf(readings.next, reader)
  }
}

async function answerOf<Answer>(reading: Reading<Answer>, reader: TaskCaller): Promise<Answer> {
  try {
    return await reading.join(reader)
  } catch (error) {
    throw error instanceof NoTurnError ? new DecidedError('unavailable', TOO_MANY) : error
  }
}
