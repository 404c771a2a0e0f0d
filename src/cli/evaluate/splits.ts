import { givenSplit, leaveOneOut, sessionsAt, sessionsOf, timesAt, timeSplit } from '../../ranking/evaluation/protocols.ts'
import type { Split } from '../../ranking/evaluation/cases.ts'
import type { Sequences } from '../../ranking/evaluation/sequences.ts'
import { UsageError } from '../../main/config/start-error.ts'
import type { EvaluationPlan } from './plan.ts'
import { splitTimeOf, type WrittenTime } from './split-time.ts'

/** Shares of events, or of sessions, that the validation and the test have when no time is given. */
const VALIDATION_SHARE = 0.1
const TEST_SHARE = 0.1
/** Of a train file, for the validation of a given split. */
const HELD_OUT_SHARE = 0.2

/** The events of the files, or of the log. */
export interface SplitInput {
  parts: readonly Sequences[]
  /** How the times of the first part are written; undefined without any. */
  timesAre: WrittenTime['is'] | undefined
}

type Splitter = (read: SplitInput, plan: EvaluationPlan) => Split

/** Splits the events by the protocol. @throws UsageError when times do not fit the events, or each other */
export const SPLITS: Record<EvaluationPlan['protocol'], Splitter> = {
  'leave-one-out': ({ parts: [events] }) => leaveOneOut(events!),
  session: (read, plan) => {
    const [train, test] = read.parts
    const [early, late] =
      test === undefined
        ? sessionsAt(train!, { from: timeIn(read, plan, '--test-from', plan.testFrom), share: TEST_SHARE })
        : [train!, test]
    return sessionsOf(early, late, { validationShare: VALIDATION_SHARE, isLastOnly: plan.isLastOnly })
  },
  'time-split': splitByTime,
  given: ({ parts: [train, test] }, { seed }) => givenSplit(train!, test!, { share: HELD_OUT_SHARE, seed }),
}

/** @throws UsageError when the test would begin before the validation ends, because a ranking knows all that was before the validation */
function splitByTime(read: SplitInput, plan: EvaluationPlan): Split {
  const [events] = read.parts
  if (events!.time === undefined)
    throw new UsageError('--protocol time-split needs times: give --format csv, and --map time=<column>.')
  const found = timesAt(events!, { validation: 1 - VALIDATION_SHARE - TEST_SHARE, test: 1 - TEST_SHARE })
  const given = {
    validationFrom: timeIn(read, plan, '--validation-from', plan.validationFrom),
    testFrom: timeIn(read, plan, '--test-from', plan.testFrom),
  }
  const validationFrom = given.validationFrom ?? found.validationFrom
  const testFrom = given.testFrom ?? found.testFrom
  const isGiven = given.validationFrom !== undefined || given.testFrom !== undefined
  if (isGiven && validationFrom >= testFrom) throw new UsageError(orderProblem(plan))
  return timeSplit(events!, { validationFrom, testFrom })
}

function orderProblem({ validationFrom, testFrom }: EvaluationPlan): string {
  if (validationFrom === undefined)
    return `--test-from ${testFrom} is not after the validation, which begins after 80 % of the events: give an earlier --validation-from too.`
  if (testFrom === undefined)
    return `--validation-from ${validationFrom} is not before the test, which begins after 90 % of the events: give a later --test-from too.`
  return `--test-from ${testFrom} is not after --validation-from ${validationFrom}: the validation comes before the test.`
}

/** The time of an option, in the unit of the events. */
function timeIn({ parts, timesAre }: SplitInput, plan: EvaluationPlan, option: string, text: string | undefined) {
  if (text === undefined) return undefined
  const example = parts[0]!.time?.[0]
  if (example === undefined || timesAre === undefined)
    throw new UsageError(`${option} needs events with times: give --format csv, and --map time=<column>.`)
  return splitTimeOf(option, text, { is: timesAre, example, format: plan.timeFormat })
}
