import type { Figure } from '../../ranking/evaluation/interval.ts'
import { type Figures, type Measure, MEASURES, type Result } from '../../ranking/evaluation/metrics.ts'
import type { Evaluation } from './run.ts'

type Protocol = Evaluation['plan']['protocol']

const ABOUT: Record<Protocol, string> = {
  'leave-one-out':
    'The last product of each shopper is asked of a ranking that knows all but the last two (refit: all but the last one). Products of the history are left out of the answers.',
  'time-split':
    'Later events are asked of a ranking that knows only what was before the validation (refit: before the test); products of the history are left out, and a new product is a miss unless its attributes find it.',
  session: 'Every next click of the last sessions is asked; nothing is left out of the answers.',
  given:
    "All products of a shopper in the test file are right answers to the shopper's products in the train file, which are left out of the answers.",
}

/** Columns of a terminal that is not wide. */
export const TABLE_WIDTH = 100

/** The figures as rows of a table: one for each ranking. */
export function tableOf(evaluation: Evaluation): Record<string, Record<string, string>> {
  const { plan, chosen, test, refit, validation, popularity, lastSeen } = evaluation
  const rows: [string, Result | undefined][] = [
    [`${chosen.method}, test`, test],
    [`${chosen.method}, refit`, refit],
    [`${chosen.method}, validation`, validation.cases === 0 ? undefined : validation],
    ['popularity, test', popularity],
    ['last seen, test', lastSeen],
  ]
  return Object.fromEntries(
    rows.flatMap(([name, result]) => (result === undefined ? [] : [[name, rowOf(result, shownOf(plan.protocol))]])),
  )
}

function rowOf({ figures }: Result, shown: readonly Measure[]): Record<string, string> {
  const [first, ...others] = figures as [Figures, ...Figures[]]
  return {
    ...Object.fromEntries(shown.map((measure) => [`${measure.toUpperCase()}@${first.k}`, withInterval(first[measure])])),
    ...Object.fromEntries(
      others.flatMap((each) => shown.map((measure) => [`${measure.toUpperCase()}@${each.k}`, digits(each[measure].value)])),
    ),
    [`coverage@${first.k}`]: digits(first.coverage),
    [`new@${first.k}`]: digits(first.newProducts),
  }
}

/** Of several right answers it matters how many are found. */
const shownOf = (protocol: Protocol): readonly Measure[] =>
  protocol === 'given' ? ['precision', 'recall', 'ndcg'] : ['hr', 'ndcg', 'mrr']

const digits = (value: number): string => value.toFixed(4)

const withInterval = ({ value, low, high }: Figure): string => `${digits(value)} (${digits(low)}–${digits(high)})`

/** What stands above and below the table. */
export function linesOf({ plan, data, notes, test, chosen, others }: Evaluation): { above: string[]; below: string[] } {
  const count = (value: number) => value.toLocaleString('en')
  return {
    above: [
      ...notes,
      `${count(data.shoppers)} shoppers, ${count(data.products)} products, ${count(data.events)} events; ${count(test.cases)} cases of ${count(test.shoppers)} shoppers, ${digits(test.newTargets)} of their targets new.`,
      `Protocol ${plan.protocol}: ${ABOUT[plan.protocol]}`,
    ],
    below: [
      `Settings of ${chosen.method}: ${JSON.stringify(chosen.settings)}`,
      ...(others.length === 0
        ? []
        : [
            `Chosen on the validation; ${others.map(({ method, ndcg }) => `${method} had NDCG ${digits(ndcg)} there`).join(', ')}, ${chosen.method} ${digits(chosen.ndcg)}.`,
          ]),
      'In brackets: the 95 % confidence interval. coverage: the share of all products that are in any list. new: the share of the listed products that the ranking did not learn from.',
    ],
  }
}

/** Everything as JSON. The figures of the test are also at the top. */
export function jsonOf(evaluation: Evaluation): object {
  const { plan, data, chosen, others, test, validation, refit, popularity, lastSeen } = evaluation
  return {
    protocol: plan.protocol,
    method: chosen.method,
    is_chosen_by_validation: plan.method === undefined,
    is_tuned: plan.isTuned,
    settings: chosen.settings,
    seed: plan.seed,
    ...data,
    ...resultJson(test),
    validation: resultJson(validation),
    ...(refit && { refit: resultJson(refit) }),
    baselines: { popularity: resultJson(popularity), last_seen: resultJson(lastSeen) },
    trials: [chosen, ...others].flatMap(({ method, trials }) => trials.map((trial) => ({ method, ...trial }))),
  }
}

function resultJson({ cases, shoppers, newTargets, figures }: Result): object {
  const values = figures.flatMap((each) => [
    ...MEASURES.map((measure) => [`${measure}_at_${each.k}`, each[measure].value]),
    [`coverage_at_${each.k}`, each.coverage],
    [`new_products_at_${each.k}`, each.newProducts],
  ])
  const intervals = figures.flatMap((each) =>
    MEASURES.map((measure) => [`${measure}_at_${each.k}`, [each[measure].low, each[measure].high]]),
  )
  return {
    cases,
    shoppers_asked: shoppers,
    new_targets: newTargets,
    ...(Object.fromEntries(values) as object),
    confidence_95: Object.fromEntries(intervals) as object,
  }
}
