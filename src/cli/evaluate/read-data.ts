import type { Split } from '../../ranking/evaluation/cases.ts'
import { createSequenceCollector, type NamedSequences, type SequenceCollector } from '../../ranking/evaluation/sequences.ts'
import { StartError, UsageError } from '../../main/config/start-error.ts'
import type { EvaluationPlan } from './plan.ts'
import type { AttributesById } from './read-attributes.ts'
import { readLines } from './read-lines.ts'
import { readRows } from './read-rows.ts'
import type { WrittenTime } from './split-time.ts'
import { type SplitInput, SPLITS } from './splits.ts'
import type { ShopData } from './read-shop.ts'

export interface EvaluationData extends NamedSequences {
  /** Those of the shop's own catalog. */
  attributes?: AttributesById | undefined
  split: Split
  /** Sentences about what was read. */
  notes: string[]
}

/** Reads the files, or the shop's own log, and splits the events. @throws StartError when a file cannot be read, or nothing can be asked */
export async function readData(plan: EvaluationPlan, shop: ShopReader): Promise<EvaluationData> {
  const read = plan.trainPath === undefined ? await readLog(plan, shop) : await readFiles(plan, plan.trainPath)
  const split = SPLITS[plan.protocol](read, plan)
  const name = plan.testPath ?? plan.trainPath ?? LOG
  if (split.test.cases.size === 0) throw new StartError(`${name} has nothing to ask in the protocol ${plan.protocol}.`)
  if (split.validation.cases.size === 0) {
    refuseChoice(plan)
    read.notes.push('The validation has no cases.')
  }
  if (split.test.train.length.every((events) => events === 0)) read.notes.push('There is no event to learn from.')
  return { ...read, split }
}

/** Without cases of the validation every choice would be as good as another one. */
function refuseChoice({ isTuned, method, protocol }: EvaluationPlan): void {
  if (!isTuned && method !== undefined && method !== 'ridge') return
  const times = protocol === 'time-split' ? ', or give other times by --validation-from and --test-from' : ''
  throw new UsageError(
    `The validation has no cases, so it cannot choose: leave out --tune, and give --method cooccurrence or jaccard${times}.`,
  )
}

/** Reads the shop's own log. */
export type ShopReader = (plan: EvaluationPlan) => Promise<ShopData>

interface EventsRead extends NamedSequences, SplitInput {
  attributes?: AttributesById | undefined
  notes: string[]
}

const LOG = 'The log'

async function readLog(plan: EvaluationPlan, shop: ShopReader): Promise<EventsRead> {
  const read = await shop(plan)
  if (read.parts[0]!.product.length === 0) throw new StartError(`${LOG} has no events to evaluate.`)
  return { ...read, notes: [], timesAre: 'date' }
}

async function readFiles(plan: EvaluationPlan, trainPath: string): Promise<EventsRead> {
  const paths = plan.testPath === undefined ? [trainPath] : [trainPath, plan.testPath]
  const collector = createSequenceCollector(paths.length)
  const notes: string[] = []
  const read: FileRead[] = []
  for (const [part, path] of paths.entries()) {
    const one = await (plan.format === 'sequences' ? readSequences : readCsv)(path, part, plan, collector)
    read.push(one)
    if (one.note !== undefined) notes.push(one.note)
  }
  const named = collector.finish()
  for (const [part, { product }] of named.parts.entries())
    if (product.length === 0) throw new StartError(`${paths[part]} has no events: ${read[part]!.nothing}.`)
  return { ...named, notes, timesAre: read[0]!.timesAre }
}

interface FileRead {
  note?: string | undefined
  /** Why there are no events, if there are none. */
  nothing: string
  timesAre?: WrittenTime['is'] | undefined
}

type FileReader = (path: string, part: number, plan: EvaluationPlan, collector: SequenceCollector) => Promise<FileRead>

const readSequences: FileReader = async (path, part, { hasIds }, collector) => {
  const { leftOut } = await readLines(path, { collector, part, hasIds })
  if (leftOut === 0) return { nothing: 'it is empty' }
  return {
    note: `${path}: ${leftOut} lines without a product were left out.`,
    nothing: `none of its ${leftOut} lines has a product`,
  }
}

const readCsv: FileReader = async (path, part, plan, collector) => {
  const { protocol, columns: given, timeFormat, form } = plan
  const options = { collector, part, columns: given, timeFormat, form, isSession: protocol === 'session' }
  const { leftOut, firstReason, columns, timesAre } = await readRows(path, options)
  const named = Object.entries(columns).map(([field, column]) => `${field}=${column}`)
  const rows = `${leftOut} rows were left out (${firstReason})`
  return {
    note: `${path}: ${named.join(', ')}${leftOut === 0 ? '' : `; ${rows}`}.`,
    nothing: leftOut === 0 ? 'it has no rows' : `all ${rows}`,
    timesAre,
  }
}
