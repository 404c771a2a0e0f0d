/** The event types that rate a product. */
const RATING_TYPES: ReadonlySet<string> = new Set(['rating_low', 'rating_medium', 'rating_high'])

const STARS = /^\s*(\d+)(?:[.,](\d+))?\s*$/

/** What may be a rating: an event with metadata. */
interface Rated {
  event_type: string
  metadata?: Record<string, unknown> | undefined
}

/** The stars in metadata.rating; undefined when there are none, and NaN for what is no number from 1 to 5. */
export function starsIn(metadata: Record<string, unknown> | undefined): number | undefined {
  const rating = metadata?.['rating']
  if (rating === undefined || rating === null) return undefined
  const stars = typeof rating === 'string' ? Number(rating.replace(STARS, '$1.$2')) : rating
  const isRead = typeof rating === 'string' ? STARS.test(rating) : typeof rating === 'number'
  return isRead && (stars as number) >= 1 && (stars as number) <= 5 ? (stars as number) : Number.NaN
}

/** The stars of a rating; undefined for every other event too. */
function starsOf({ event_type: type, metadata }: Rated): number | undefined {
  return RATING_TYPES.has(type) ? starsIn(metadata) : undefined
}

/** Whether the stars of a rating are from 1 to 5, as a number or as a text such as "4.5" or "4,5"; true for every other event. */
export function hasReadableStars(event: Rated): boolean {
  return !Number.isNaN(starsOf(event))
}

/** The metadata of an event, with the stars of a rating as a number, because only a number counts as stars. */
export function metadataWithStars(event: Rated): Record<string, unknown> | undefined {
  const stars = starsOf(event)
  const isNumber = stars === undefined || stars === event.metadata?.['rating']
  return isNumber ? event.metadata : { ...event.metadata, rating: stars }
}
