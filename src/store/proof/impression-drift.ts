import { sql } from 'kysely'
import { countsPerDay } from '../recommendations/impressions.ts'
import { comparedAggregate, exact } from './drift.ts'

/** A day whose impressions were deleted counts none of them for a moment. */
export const IMPRESSION_DAY = comparedAggregate({
  table: 'impression_day',
  key: ['day', 'strategy', 'blend', 'similarity_version'],
  stored: sql`select * from impression_day where impressions <> 0`,
  expected: countsPerDay(sql`impression`),
  cells: ['impressions', 'products'].map(exact),
})
