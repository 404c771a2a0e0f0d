import type { Database } from '../store/database/connection.ts'
import { FencedError, storedOffsets } from '../store/kafka/offset.ts'
import type { Positions } from './positions.ts'

/** How often the stored offsets are compared: one read of a small table. */
const LOOK_MS = 2_000

/**
 * Compares the stored offsets with those of a consumer, which would not notice without new records that an operator moved one. For a moment after
 * each commit the database is ahead of the consumer, so an offset was moved when two looks find the same.
 */
export function createSeekLook(db: Database, positions: Positions): () => Promise<FencedError | undefined> {
  let found: ReadonlySet<string> = new Set()
  return async () => {
    const places = new Map(positions.all().map((place) => [`${place.topic}/${place.partition}`, place.next]))
    const elsewhere = (await storedOffsets(db)).flatMap(({ topic, partition, next }) => {
      const before = places.get(`${topic}/${partition}`)
      return before === undefined || before === next ? [] : [{ topic, partition, before, next }]
    })
    const textOf = ({ topic, partition, before, next }: (typeof elsewhere)[number]) => `${topic}/${partition} ${before} ${next}`
    const moved = elsewhere.filter((move) => found.has(textOf(move)))
    found = new Set(elsewhere.map(textOf))
    return moved.length === 0 ? undefined : new FencedError(moved)
  }
}

/** Looks every 2 s until it is stopped. A database that is away is asked again. */
export function watchSeeks(db: Database, positions: Positions, onMoved: (error: FencedError) => void) {
  const look = createSeekLook(db, positions)
  let isLooking = false
  const lookOnce = async () => {
    if (isLooking) return
    isLooking = true
    const error = await look().catch(() => undefined)
    isLooking = false
    if (error !== undefined) onMoved(error)
  }
  const timer = setInterval(() => void lookOnce(), LOOK_MS)
  return { stop: () => clearInterval(timer) }
}
