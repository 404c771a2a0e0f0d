import type { EngineSettings } from '../../ranking/evaluation/engine.ts'
import type { FileForm } from '../import/source/source-file.ts'
import type { TimeReading } from '../import/values/instant.ts'
import type { Columns } from './read-rows.ts'

export const PROTOCOLS = ['leave-one-out', 'time-split', 'session'] as const
export type Protocol = (typeof PROTOCOLS)[number]

export const METHODS = ['cooccurrence', 'jaccard', 'ridge'] as const
export type Method = (typeof METHODS)[number]

/** What `footfall evaluate` is to do. */
export interface EvaluationPlan {
  /** Undefined: the shop's own log. */
  trainPath: string | undefined
  testPath: string | undefined
  format: 'sequences' | 'csv'
  hasIds: boolean
  form: FileForm
  columns: Columns
  timeFormat: TimeReading['format']
  attributesPath: string | undefined
  /** `given`: products of a test file are the answers to the shoppers' products in the train file. */
  protocol: Protocol | 'given'
  /** As they were written: in the unit of the file's times, or as a date. */
  validationFrom: string | undefined
  testFrom: string | undefined
  /** Undefined: the best one on the validation. */
  method: Method | undefined
  isTuned: boolean
  /** Whether better settings are stored for an operator to promote. */
  isSaved: boolean
  /** Settings that differ from the defaults, or from those of the shop. */
  set: Partial<EngineSettings>
  settings: EngineSettings
  /** Neighbours of jaccard. */
  neighbours: number
  /** The first one decides choices. */
  ks: readonly number[]
  /** Whether only the last click of a session is asked. */
  isLastOnly: boolean
  /** At most so many cases of the test; all if it is undefined. */
  casesMax: number | undefined
  seed: number
  threads: number
}
