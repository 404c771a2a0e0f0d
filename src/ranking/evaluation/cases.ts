import type { Sequences } from './sequences.ts'

/** A question to a ranking: which products come next? */
export interface Case {
  shopper: number
  /** What the shopper had, oldest first. */
  history: Int32Array
  /** The right answers, each once. */
  targets: Int32Array
}

export interface Cases {
  size: number
  at: (index: number) => Case
}

/** What a ranking may learn from: the first events of each shopper. */
export interface Train {
  sequences: Sequences
  /** How many events of each shopper are known. */
  length: Int32Array
}

/** What is learnt from, and what is asked. */
export interface Stage {
  train: Train
  cases: Cases
}

export interface Split {
  /** For choices. */
  validation: Stage
  /** For the figures that are stated. */
  test: Stage
  /** The test's cases, for a ranking that learnt from the validation's targets too. */
  refit?: Stage
  /** Whether products of the history are left out of the answer. */
  isSeenRemoved: boolean
  /** Whether a product may follow itself. */
  repeats: boolean
}

/** Collects cases whose target is an event, and whose history are the events before it. */
export function createEventCases(sequences: Sequences): {
  add: (shopper: number, event: number, historyEnd?: number) => void
  cases: () => Cases
} {
  const shoppers: number[] = []
  const events: number[] = []
  const ends: number[] = []
  return {
    add: (shopper, event, historyEnd = event) => {
      shoppers.push(shopper)
      events.push(event)
      ends.push(historyEnd)
    },
    cases: () => ({
      size: events.length,
      at: (index) => {
        const shopper = shoppers[index]!
        const event = events[index]!
        return {
          shopper,
          history: sequences.product.subarray(sequences.start[shopper], ends[index]),
          targets: sequences.product.subarray(event, event + 1),
        }
      },
    }),
  }
}

/** Some of the cases. */
export function picked(cases: Cases, indexes: Int32Array): Cases {
  return { size: indexes.length, at: (index) => cases.at(indexes[index]!) }
}

/** All events of all shoppers. */
export function wholeTrain(sequences: Sequences): Train {
  const { start } = sequences
  return { sequences, length: lengthsOf(sequences, (shopper) => start[shopper + 1]! - start[shopper]!) }
}

export function lengthsOf({ shoppers }: Sequences, lengthOf: (shopper: number) => number): Int32Array {
  return new Int32Array(shoppers).map((_, shopper) => lengthOf(shopper))
}
