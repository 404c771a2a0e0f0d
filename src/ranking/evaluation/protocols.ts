import { type Cases, createEventCases, lengthsOf, type Split, type Stage, wholeTrain } from './cases.ts'
import { createRandom } from './random.ts'
import { filtered, type Sequences, withoutRepeats } from './sequences.ts'

/** A shopper with fewer events is only learnt from. */
const LEAVE_ONE_OUT_EVENTS_MIN = 3

/**
 * The last event of each shopper is the test, the one before it the validation; both are asked of a ranking that knows all but these
 * two. A refitted one also knows the validation's.
 */
export function leaveOneOut(given: Sequences): Split {
  const sequences = withoutRepeats(given)
  const { start, shoppers } = sequences
  const count = (shopper: number) => start[shopper + 1]! - start[shopper]!
  const isAsked = (shopper: number) => count(shopper) >= LEAVE_ONE_OUT_EVENTS_MIN
  const train = (left: number) => ({
    sequences,
    length: lengthsOf(sequences, (shopper) => count(shopper) - (isAsked(shopper) ? left : 0)),
  })
  const cases = (fromEnd: number): Cases => {
    const collected = createEventCases(sequences)
    for (let shopper = 0; shopper < shoppers; shopper++)
      if (isAsked(shopper)) collected.add(shopper, start[shopper + 1]! - fromEnd)
    return collected.cases()
  }
  return {
    validation: { train: train(2), cases: cases(2) },
    test: { train: train(2), cases: cases(1) },
    refit: { train: train(1), cases: cases(1) },
    isSeenRemoved: true,
    repeats: false,
  }
}

/**
 * Every event of the last sessions but their first is a case. Nothing is left out of the answers: a click may come back.
 * @param testSessions  sessions of a file of their own
 */
export function sessionsOf(
  train: Sequences,
  testSessions: Sequences,
  { validationShare, isLastOnly }: { validationShare: number; isLastOnly: boolean },
): Split {
  const isLate = lateSessions(train, validationShare)
  const early = filtered(train, (_, session) => !isLate(session))
  const late = filtered(train, (_, session) => isLate(session))
  return {
    validation: { train: wholeTrain(early), cases: positionsOf(late, isLastOnly) },
    test: { train: wholeTrain(train), cases: positionsOf(testSessions, isLastOnly) },
    isSeenRemoved: false,
    repeats: true,
  }
}

/** Whether a session is one of the last ones, by its first event, or by its place where no time is known. */
function lateSessions({ start, time, shoppers }: Sequences, share: number): (session: number) => boolean {
  const beginning = (session: number) => (time === undefined ? session : time[start[session]!]!)
  const sessions = Array.from({ length: shoppers }, (_, session) => session).filter(
    (session) => start[session]! < start[session + 1]!,
  )
  const sorted = sessions.map(beginning).sort((a, b) => a - b)
  const from = sorted[Math.floor(sorted.length * (1 - share))] ?? Infinity
  return (session) => beginning(session) >= from
}

/** Sessions that begin before a time, and the later ones. Without a time, the last share of them is later. */
export function sessionsAt(
  sequences: Sequences,
  { from, share }: { from: number | undefined; share: number },
): [Sequences, Sequences] {
  const { start, time } = sequences
  const isLate =
    from !== undefined && time !== undefined
      ? (session: number) => time[start[session]!]! >= from
      : lateSessions(sequences, share)
  return [filtered(sequences, (_, session) => !isLate(session)), filtered(sequences, (_, session) => isLate(session))]
}

function positionsOf(sequences: Sequences, isLastOnly: boolean): Cases {
  const { shoppers, start } = sequences
  const collected = createEventCases(sequences)
  for (let session = 0; session < shoppers; session++) {
    const [first, end] = [start[session]! + 1, start[session + 1]!]
    for (let event = isLastOnly ? Math.max(first, end - 1) : first; event < end; event++) collected.add(session, event)
  }
  return collected.cases()
}

/** The first time of the validation and of the test. */
export interface Times {
  validationFrom: number
  testFrom: number
}

/**
 * A ranking knows everything before the validation. Every later event of a shopper with a history is a case, unless its product is in
 * that history; the history ends before the event's own time. A refitted ranking also knows the time of the validation.
 */
export function timeSplit(given: Sequences, { validationFrom, testFrom }: Times): Split {
  const sequences = withoutRepeats(given)
  const before = (limit: number) => ({
    sequences,
    length: lengthsOf(sequences, (shopper) => eventsBefore(sequences, shopper, limit)),
  })
  const test = timeCases(sequences, testFrom, Infinity)
  return {
    validation: { train: before(validationFrom), cases: timeCases(sequences, validationFrom, testFrom) },
    test: { train: before(validationFrom), cases: test },
    refit: { train: before(testFrom), cases: test },
    isSeenRemoved: true,
    repeats: false,
  }
}

/** The times before which the shares of all events are. @throws RangeError when no time is known */
export function timesAt({ time }: Sequences, shares: { validation: number; test: number }): Times {
  if (time === undefined || time.length === 0) throw new RangeError('a split by time needs events with times')
  const sorted = time.toSorted()
  const at = (share: number) => sorted[Math.floor(sorted.length * share)]!
  return { validationFrom: at(shares.validation), testFrom: at(shares.test) }
}

function eventsBefore({ start, time }: Sequences, shopper: number, limit: number): number {
  let end = start[shopper]!
  while (end < start[shopper + 1]! && time![end]! < limit) end += 1
  return end - start[shopper]!
}

function timeCases(sequences: Sequences, from: number, to: number): Cases {
  const { shoppers, start, product, time } = sequences
  const collected = createEventCases(sequences)
  for (let shopper = 0; shopper < shoppers; shopper++) {
    let historyEnd = start[shopper]!
    const known = new Set<number>()
    for (let event = start[shopper]!; event < start[shopper + 1]!; event++) {
      while (time![historyEnd]! < time![event]!) known.add(product[historyEnd++]!)
      const isAsked = time![event]! >= from && time![event]! < to && known.size > 0 && !known.has(product[event]!)
      if (isAsked) collected.add(shopper, event, historyEnd)
    }
  }
  return collected.cases()
}

/** Files of what is known and what is asked: all of a shopper's products in the test are right answers to the whole history. */
export function givenSplit(train: Sequences, test: Sequences, { share, seed }: { share: number; seed: number }): Split {
  const random = createRandom(seed)
  const isHeldOut = Uint8Array.from(train.product, () => (random() < share ? 1 : 0))
  const kept = filtered(train, (event) => isHeldOut[event] === 0)
  const heldOut = filtered(train, (event) => isHeldOut[event] === 1)
  return {
    validation: { train: wholeTrain(kept), cases: setCases(kept, heldOut) },
    test: { train: wholeTrain(train), cases: setCases(train, test) },
    isSeenRemoved: true,
    repeats: false,
  } satisfies { validation: Stage; test: Stage } & Partial<Split>
}

function setCases(histories: Sequences, targets: Sequences): Cases {
  const part = ({ start, product }: Sequences, shopper: number) => product.subarray(start[shopper], start[shopper + 1])
  const asked = Array.from({ length: targets.shoppers }, (_, shopper) => shopper).filter(
    (shopper) => part(targets, shopper).length > 0,
  )
  return {
    size: asked.length,
    at: (index) => {
      const shopper = asked[index]!
      return { shopper, history: part(histories, shopper), targets: Int32Array.from(new Set(part(targets, shopper))) }
    },
  }
}
