import { z } from 'zod'
import { Id, ProductId } from './fields/id.ts'
import { unlessMissing } from './fields/zod-messages.ts'
import { wholeNumber } from './fields/whole-number.ts'
import { type Mode, MODES } from './popular-list.ts'

/** The kinds of alerts, each with the field that has its threshold. */
export const ALERT_KINDS = {
  low_stock: 'below',
  enters_top: 'top',
  rising_above: 'above',
  finds_nothing: 'more_than',
} as const
export type AlertKind = keyof typeof ALERT_KINDS

const COUNT_MAX = 1_000_000_000
/** The longest list that is read. */
const TOP_MAX = 100
const RATIO_MAX = 1_000_000

const RATIO_PROBLEM = { error: unlessMissing(`must be a number from 1 to ${RATIO_MAX}`) }
const ratio = () => z.number(RATIO_PROBLEM).min(1, RATIO_PROBLEM).max(RATIO_MAX, RATIO_PROBLEM)

const AlertFilter = z
  .strictObject({
    seller_id: Id.optional(),
    category: Id.optional(),
    product_id: ProductId.optional(),
  })
  .describe("Only products that have all of these, by today's catalog. Not for finds_nothing.")

/** The fields that say what crosses, which `checkCondition` checks together. */
export const condition = {
  kind: z
    .enum(Object.keys(ALERT_KINDS) as [AlertKind, ...AlertKind[]])
    .describe(
      'low_stock: the quantity of an active product falls below `below`. enters_top: a product comes into the first `top` of the list of `mode`. rising_above: the rising score of a product exceeds `above`. finds_nothing: a query found nothing more than `more_than` times in a day of UTC.',
    ),
  below: wholeNumber(1, COUNT_MAX).optional().describe('Of low_stock: a quantity.'),
  mode: z
    .enum(Object.keys(MODES) as [Mode, ...Mode[]])
    .optional()
    .describe('Of enters_top: which list of popular products.'),
  top: wholeNumber(1, TOP_MAX).optional().describe('Of enters_top: so many places of the list.'),
  above: ratio().optional().describe('Of rising_above: a rising score, such as 2 for twice as many events as predicted.'),
  more_than: wholeNumber(1, COUNT_MAX).optional().describe('Of finds_nothing: searches of one query in a day of UTC.'),
  rearm_at: z
    .number()
    .optional()
    .describe(
      'A product that crossed crosses again only after it was back here: low_stock, a quantity of at least `below`; enters_top, a place of at least `top` that it must be behind; rising_above, a score of at most `above`. The threshold itself when absent. Not for finds_nothing.',
    ),
  filter: AlertFilter.optional(),
}

interface Condition {
  kind: AlertKind
  below?: number | undefined
  mode?: Mode | undefined
  top?: number | undefined
  above?: number | undefined
  more_than?: number | undefined
  rearm_at?: number | undefined
  filter?: z.infer<typeof AlertFilter> | undefined
}

/** What is wrong with the fields of a condition together. */
export function checkCondition(alert: Condition, context: z.core.$RefinementCtx): void {
  const wrong = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message })
  const own: string[] = [ALERT_KINDS[alert.kind], ...(alert.kind === 'enters_top' ? ['mode'] : [])]
  for (const field of ['below', 'mode', 'top', 'above', 'more_than'] as const) {
    const isGiven = alert[field] !== undefined
    if (own.includes(field) && !isGiven) wrong(field, `is needed with the kind ${alert.kind}`)
    if (!own.includes(field) && isGiven) wrong(field, `does not belong to the kind ${alert.kind}`)
  }
  if (alert.kind === 'finds_nothing' && Object.keys(alert.filter ?? {}).length > 0) {
    wrong('filter', 'does not belong to the kind finds_nothing, because queries have no products')
  }
  const problem = rearmProblem(alert)
  if (problem !== undefined) wrong('rearm_at', problem)
}

function rearmProblem(alert: Condition): string | undefined {
  const { rearm_at: rearmAt, kind } = alert
  const threshold = alert[ALERT_KINDS[kind]]
  return rearmAt === undefined || threshold === undefined ? undefined : REARM_PROBLEM[kind](rearmAt, threshold)
}

const REARM_PROBLEM: Record<AlertKind, (rearmAt: number, threshold: number) => string | undefined> = {
  low_stock: (rearmAt, below) =>
    isWhole(rearmAt, below, COUNT_MAX) ? undefined : `must be a whole number from below to ${COUNT_MAX}`,
  enters_top: (rearmAt, top) => (isWhole(rearmAt, top, TOP_MAX) ? undefined : `must be a whole number from top to ${TOP_MAX}`),
  rising_above: (rearmAt, above) => (rearmAt >= 1 && rearmAt <= above ? undefined : 'must be a number from 1 to above'),
  finds_nothing: () => 'does not belong to the kind finds_nothing, because each day begins at 0',
}

function isWhole(value: number, min: number, max: number): boolean {
  return Number.isSafeInteger(value) && value >= min && value <= max
}
