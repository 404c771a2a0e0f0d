import type { DecimalMark } from './number.ts'
import type { Observations } from './observations.ts'
import type { TimeReading } from './instant.ts'

/** How the values of cells are read. */
export interface ValueReading {
  time: TimeReading
  /** The decimal mark of numbers with thousands separators; undefined for plain numbers. */
  mark?: DecimalMark | undefined
  observed?: Observations | undefined
}
