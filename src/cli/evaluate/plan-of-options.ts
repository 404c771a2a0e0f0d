import { ENGINE_DEFAULTS, type EngineSettings } from '../../ranking/evaluation/engine.ts'
import { UsageError } from '../../main/config/start-error.ts'
import type { EvaluationPlan, Method, Protocol } from './plan.ts'
import type { TimeReading } from '../import/values/instant.ts'
import type { Columns } from './read-rows.ts'

/** The options of `footfall evaluate`. */
export interface EvaluateOptions {
  train?: string
  test?: string
  format?: 'sequences' | 'csv'
  ids: boolean
  columns?: string[]
  delimiter?: string
  encoding?: string
  skip?: number
  map?: Columns
  timeFormat?: TimeReading['format']
  attributes?: string
  protocol?: Protocol
  validationFrom?: string
  testFrom?: string
  method?: Method | 'auto'
  tune?: boolean
  save?: boolean
  set?: Partial<EngineSettings>
  neighbours: number
  k?: number[]
  lastOnly?: boolean
  cases?: number
  seed: number
  workers: number
  json?: boolean
}

const CSV_NAME = /\.(?:csv|tsv|tab|psv|data|jsonl|parquet)(?:\.gz)?$/i

/** @throws UsageError when options do not fit each other */
export function planOf(file: string | undefined, options: EvaluateOptions): EvaluationPlan {
  const trainPath = file ?? options.train
  if (file !== undefined && options.train !== undefined && file !== options.train) {
    throw new UsageError('The file to learn from is given twice: as an argument, and with --train.')
  }
  if (trainPath === undefined) refuseFileOptions(options)
  const isCsv = trainPath === undefined || CSV_NAME.test(trainPath) || options.columns !== undefined || options.map !== undefined
  const format = options.format ?? (isCsv ? 'csv' : 'sequences')
  const protocol = protocolOf(options, format)
  refuseSaving(options, protocol)
  refuseTimes(options, protocol)
  const isTuned = options.tune ?? false
  const method = options.method ?? (isTuned ? 'auto' : 'cooccurrence')
  const { columns, delimiter, encoding, skip } = options
  return {
    trainPath,
    testPath: options.test,
    format,
    hasIds: options.ids,
    form: { ...(options.format === 'csv' && { format: 'csv' }), columns, delimiter, encoding, skip },
    columns: options.map ?? {},
    timeFormat: options.timeFormat,
    attributesPath: options.attributes,
    protocol,
    validationFrom: options.validationFrom,
    testFrom: options.testFrom,
    method: method === 'auto' ? undefined : method,
    isTuned,
    isSaved: options.save ?? false,
    set: options.set ?? {},
    settings: { ...ENGINE_DEFAULTS, ...options.set },
    neighbours: options.neighbours,
    ks: options.k ?? (protocol === 'session' ? [20, 10] : [10, 20]),
    isLastOnly: options.lastOnly ?? false,
    casesMax: options.cases,
    seed: options.seed,
    threads: options.workers,
  }
}

/** What is stored is to be better than what the shop has, in the ranking that serves. */
function refuseSaving({ save, tune, method = 'auto', set }: EvaluateOptions, protocol: EvaluationPlan['protocol']): void {
  if (!save) return
  if (!tune) throw new UsageError('--save stores what a tuning chooses: give --tune too.')
  if (method !== 'auto' && method !== 'cooccurrence')
    throw new UsageError(`--save stores settings of cooccurrence, not of ${method}.`)
  if (set !== undefined) throw new UsageError('--save begins with the settings of the shop: leave out --set.')
  if (protocol === 'session') throw new UsageError('--save does not go with --protocol session, whose ranking does not serve.')
}

/** Only a split by time reads the times of its parts. */
function refuseTimes({ validationFrom, testFrom, test }: EvaluateOptions, protocol: EvaluationPlan['protocol']): void {
  if (validationFrom !== undefined && protocol !== 'time-split')
    throw new UsageError('--validation-from is for --protocol time-split.')
  if (testFrom !== undefined && (test !== undefined || (protocol !== 'time-split' && protocol !== 'session')))
    throw new UsageError('--test-from is for --protocol time-split, and for --protocol session without --test.')
}

/** The settings of the shop, changed by `--set`. */
export function withSettingsOf(plan: EvaluationPlan, shop: Partial<EngineSettings>): EvaluationPlan {
  return { ...plan, settings: { ...plan.settings, ...shop, ...plan.set } }
}

/** The shop's own log has its form, and its own split by time. */
function refuseFileOptions({ test, format, columns, map, attributes, protocol }: EvaluateOptions): void {
  const isOfFile =
    test !== undefined || format !== undefined || columns !== undefined || attributes !== undefined || map !== undefined
  if (isOfFile || protocol === 'session') {
    throw new UsageError(
      'Without a file the log of the shop is evaluated: --test, --format, --columns, --map, --attributes and --protocol session are for files.',
    )
  }
}

function protocolOf({ protocol, test, map, columns }: EvaluateOptions, format: 'sequences' | 'csv'): EvaluationPlan['protocol'] {
  if (test !== undefined && protocol !== undefined && protocol !== 'session') {
    throw new UsageError(`--test is a split of its own: leave out --protocol ${protocol}.`)
  }
  if (test !== undefined) return protocol ?? 'given'
  const hasTimes = format === 'csv' && (columns === undefined || columns.includes('time') || map?.time !== undefined)
  return protocol ?? (hasTimes ? 'time-split' : 'leave-one-out')
}
