import { givenSplit, leaveOneOut, sessionsAt, sessionsOf, timesAt, timeSplit } from '../../ranking/evaluation/protocols.ts'
import type { Split } from '../../ranking/evaluation/cases.ts'
import { createSequenceCollector, type NamedSequences, type Sequences } from '../../ranking/evaluation/sequences.ts'
import { StartError, UsageError } from '../../main/config/start-error.ts'
import type { EvaluationPlan } from './plan.ts'
import type { AttributesById } from './read-attributes.ts'
import { readLines } from './read-lines.ts'
import { readRows } from './read-rows.ts'
import type { ShopData } from './read-shop.ts'

export interface EvaluationData extends NamedSequences {
  /** Those of the shop's own catalog. */
  attributes?: AttributesById | undefined
  split: Split
  /** Sentences about what was read. */
  notes: string[]
}

/** Shares of events, or of sessions, that the validation and the test have when no time is given. */
const VALIDATION_SHARE = 0.1
const TEST_SHARE = 0.1
/** Of a train file, for the validation of a given split. */
const HELD_OUT_SHARE = 0.2

/** Reads the files, or the shop's own log, and splits the events. @throws StartError when a file cannot be read, or nothing can be asked */
export async function readData(plan: EvaluationPlan, shop: ShopReader): Promise<EvaluationData> {
  const read =
    plan.trainPath === undefined ? { ...(await shop(plan)), notes: [] as string[] } : await readFiles(plan, plan.trainPath)
  const split = splitOf(read.parts, plan)
  const name = plan.testPath ?? plan.trainPath ?? 'The log'
  if (split.test.cases.size === 0) throw new StartError(`${name} has nothing to ask in the protocol ${plan.protocol}.`)
  if (split.validation.cases.size === 0) read.notes.push('The validation has no cases.')
  return { ...read, split }
}

/** Reads the shop's own log. */
export type ShopReader = (plan: EvaluationPlan) => Promise<ShopData>

async function readFiles(
  plan: EvaluationPlan,
  trainPath: string,
): Promise<NamedSequences & { notes: string[]; attributes?: undefined }> {
  const paths = plan.testPath === undefined ? [trainPath] : [trainPath, plan.testPath]
  const collector = createSequenceCollector(paths.length)
  const notes: string[] = []
  for (const [part, path] of paths.entries()) {
    if (plan.format === 'sequences') {
      const { leftOut } = await readLines(path, { collector, part, hasIds: plan.hasIds })
      if (leftOut > 0) notes.push(`${path}: ${leftOut} lines without a product were left out.`)
    } else {
      const isSession = plan.protocol === 'session'
      const { leftOut, firstReason, columns } = await readRows(path, {
        collector,
        part,
        columns: plan.columns,
        timeFormat: plan.timeFormat,
        form: plan.form,
        isSession,
      })
      const named = Object.entries(columns).map(([field, column]) => `${field}=${column}`)
      notes.push(`${path}: ${named.join(', ')}${leftOut === 0 ? '' : `; ${leftOut} rows were left out (${firstReason})`}.`)
    }
  }
  return { ...collector.finish(), notes }
}

function splitOf(parts: readonly Sequences[], plan: EvaluationPlan): Split {
  const [train, test] = parts as [Sequences, Sequences | undefined]
  return SPLITS[plan.protocol](train, plan, test)
}

const SPLITS: Record<EvaluationPlan['protocol'], (train: Sequences, plan: EvaluationPlan, test: Sequences | undefined) => Split> =
  {
    'leave-one-out': (train) => leaveOneOut(train),
    session: (train, { testFrom, isLastOnly }, test) => {
      const [early, late] = test === undefined ? sessionsAt(train, { from: testFrom, share: TEST_SHARE }) : [train, test]
      return sessionsOf(early, late, { validationShare: VALIDATION_SHARE, isLastOnly })
    },
    'time-split': (train, { validationFrom, testFrom }) => {
      if (train.time === undefined) {
        throw new UsageError('--protocol time-split needs times: give --format csv, and --map time=<column>.')
      }
      const times = timesAt(train, { validation: 1 - VALIDATION_SHARE - TEST_SHARE, test: 1 - TEST_SHARE })
      return timeSplit(train, { validationFrom: validationFrom ?? times.validationFrom, testFrom: testFrom ?? times.testFrom })
    },
    given: (train, { seed }, test) => givenSplit(train, test!, { share: HELD_OUT_SHARE, seed }),
  }
