import type { OffsetMove, PartitionOffset, TopicPartition } from '../store/kafka/offset.ts'

/** A partition came back to this consumer at another offset, so records that it read before may be in its buffers. */
export class StaleSessionError extends Error {}

interface Place extends RecordPlace {
  offset: bigint
}
type RecordPlace = TopicPartition

/** The offsets of the partitions of a consumer, as the database has them. */
export interface Positions {
  /** Replaces the partitions. @throws StaleSessionError when one was this consumer's and is at another offset. */
  assign: (partitions: readonly PartitionOffset[]) => void
  /** Whether the record is of an assigned partition and not stored. */
  isNew: (place: Place) => boolean
  /** How new records move the offsets. */
  movesFor: (places: readonly Place[]) => OffsetMove[]
  moved: (moves: readonly OffsetMove[]) => void
  all: () => PartitionOffset[]
}

export function createPositions(): Positions {
  const current = new Map<string, PartitionOffset>()
  /** Also of partitions that others have now. */
  const known = new Map<string, bigint>()
  const keyOf = ({ topic, partition }: RecordPlace) => `${partition} ${topic}`
  return {
    assign: (partitions) => {
      const stale = partitions.find((each) => known.has(keyOf(each)) && known.get(keyOf(each)) !== each.next)
      if (stale !== undefined) {
        throw new StaleSessionError(
          `${stale.topic}/${stale.partition} is at ${stale.next}, and was left at ${known.get(keyOf(stale))}`,
        )
      }
      current.clear()
      for (const each of partitions) {
        current.set(keyOf(each), each)
        known.set(keyOf(each), each.next)
      }
    },
    isNew: (place) => {
      const position = current.get(keyOf(place))
      return position !== undefined && place.offset >= position.next
    },
    movesFor: (places) => {
      const moves = new Map<string, OffsetMove>()
      for (const place of places) {
        const { topic, partition, next: before } = current.get(keyOf(place))!
        moves.set(keyOf(place), { topic, partition, before, next: place.offset + 1n })
      }
      return [...moves.values()]
    },
    moved: (moves) => {
      for (const { before: _, ...move } of moves) {
        known.set(keyOf(move), move.next)
        if (current.has(keyOf(move))) current.set(keyOf(move), move)
      }
    },
    all: () => [...current.values()],
  }
}
