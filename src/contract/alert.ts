import { z } from 'zod'
import { Id, ProductId } from './fields/id.ts'
import { storableText } from './fields/text.ts'
import { unlessMissing } from './fields/zod-messages.ts'
import { wholeNumber } from './fields/whole-number.ts'
import { handler, Nothing } from './handler.ts'
import { type Mode, MODES } from './popular-list.ts'

/** The kinds of alerts, each with the field that has its threshold. */
export const ALERT_KINDS = {
  low_stock: 'below',
  enters_top: 'top',
  rising_above: 'above',
  finds_nothing: 'more_than',
} as const
export type AlertKind = keyof typeof ALERT_KINDS

/** Alerts that are not deleted. Each change of stock is compared with all of them. */
export const ALERTS_MAX = 100
const COUNT_MAX = 1_000_000_000
/** The longest list that is read. */
const TOP_MAX = 100
const RATIO_MAX = 1_000_000
const URL_CHARACTERS_MAX = 2_000
const SECRET = /^[\x21-\x7e]{16,200}$/
const OLD_HOURS_DEFAULT = 24
/** A month. */
const OLD_HOURS_MAX = 744

const RATIO_PROBLEM = { error: unlessMissing(`must be a number from 1 to ${RATIO_MAX}`) }
const ratio = () => z.number(RATIO_PROBLEM).min(1, RATIO_PROBLEM).max(RATIO_MAX, RATIO_PROBLEM)

const name = storableText(200).describe('What people call it.')
const url = storableText(URL_CHARACTERS_MAX).describe(
  'Where deliveries are sent: http or https, without a user, a password or a fragment. Callers with the scope manage can read it.',
)
const secret = z
  .string()
  .regex(SECRET, { error: 'must have 16 to 200 printable ASCII characters without blanks' })
  .describe('Signs the deliveries. Made by Footfall when absent.')
const requestedBy = storableText(200).optional().describe('The name of the person who wants it: recorded, not verified.')
const actor = storableText(200).describe('The caller, for the audit log.')

const AlertFilter = z
  .strictObject({
    seller_id: Id.optional(),
    category: Id.optional(),
    product_id: ProductId.optional(),
  })
  .describe("Only products that have all of these, by today's catalog. Not for finds_nothing.")

const condition = {
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
function checkCondition(alert: Condition, context: z.core.$RefinementCtx): void {
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

/** Over HTTP. */
export const CreateAlertRequest = z
  .strictObject({ name, ...condition, url, secret: secret.optional(), requested_by: requestedBy })
  .superRefine(checkCondition)
  .meta({
    examples: [
      {
        name: 'Lamps run out',
        kind: 'low_stock',
        below: 10,
        filter: { category: 'lighting' },
        url: 'https://hooks.example.com/stock',
      },
    ],
  })
export type CreateAlertRequest = z.infer<typeof CreateAlertRequest>

/** A secret that only the endpoint can read, so that neither Restate nor a log has it. */
const SealedSecret = storableText(1_000).describe(
  'The secret, encrypted with the public key of `SealingKey`: RSA-OAEP with SHA-256, in base64url.',
)
const alertId = z.uuid().describe('The id of the alert, which the caller makes. A repeated call with it changes nothing.')

export const CreateAlert = z
  .strictObject({ alert_id: alertId, name, ...condition, url, sealed_secret: SealedSecret, actor, requested_by: requestedBy })
  .superRefine(checkCondition)
export type CreateAlert = z.infer<typeof CreateAlert>

const changes = {
  name: name.optional(),
  url: url.optional(),
  is_on: z.boolean().optional().describe('Whether it notes what crosses it.'),
}

/** Over HTTP. The condition and the filter stay: another condition is another alert. */
export const ChangeAlertRequest = z.strictObject({ ...changes, requested_by: requestedBy }).meta({ examples: [{ is_on: false }] })
export type ChangeAlertRequest = z.infer<typeof ChangeAlertRequest>

export const ChangeAlert = z.strictObject({ alert_id: z.uuid(), ...changes, actor, requested_by: requestedBy })
export type ChangeAlert = z.infer<typeof ChangeAlert>

export const DeleteAlert = z.strictObject({ alert_id: z.uuid(), actor, requested_by: requestedBy })
export type DeleteAlert = z.infer<typeof DeleteAlert>

const oldHours = wholeNumber(0, OLD_HOURS_MAX)
  .default(OLD_HOURS_DEFAULT)
  .describe('For so many hours the secret before signs too, so that the receiver has time to change.')

/** Over HTTP. */
export const RotateSecretRequest = z
  .strictObject({ secret: secret.optional(), old_hours: oldHours, requested_by: requestedBy })
  .meta({ examples: [{ old_hours: 48 }] })
export type RotateSecretRequest = z.infer<typeof RotateSecretRequest>

export const RotateSecret = z.strictObject({
  alert_id: z.uuid(),
  secret_id: z.uuid().describe('Made by the caller. A repeated call with it changes nothing.'),
  sealed_secret: SealedSecret,
  old_hours: oldHours,
  actor,
  requested_by: requestedBy,
})
export type RotateSecret = z.infer<typeof RotateSecret>

export const Alert = z.object({
  id: z.uuid(),
  name: z.string(),
  ...condition,
  filter: z
    .object({ seller_id: z.string().optional(), category: z.string().optional(), product_id: z.string().optional() })
    .optional(),
  url: z.string(),
  is_on: z.boolean(),
  made_by: z.string(),
  made_at: z.iso.datetime(),
  deleted_at: z.iso.datetime().optional(),
  pending: z.int().describe('Deliveries that were not sent yet.'),
  failed: z.int().describe('Deliveries that were given up.'),
})
export type Alert = z.infer<typeof Alert>

export const SealingKey = z.object({ public_key: z.string().describe('In PEM.') })

export const alertHandlers = {
  SealingKey: handler({
    input: Nothing,
    output: SealingKey,
    description: 'The public key that secrets of alerts are encrypted with.',
  }),
  Create: handler({
    input: CreateAlert,
    output: Alert,
    isForOperators: true,
    description: `Makes an alert; 409 when there are ${ALERTS_MAX}.`,
  }),
  Change: handler({
    input: ChangeAlert,
    output: Alert,
    isForOperators: true,
    description: 'Changes the name, the address, or whether it is on; 404 if there is none.',
  }),
  Delete: handler({
    input: DeleteAlert,
    output: Alert,
    isForOperators: true,
    description: 'Ends an alert, and drops what was not sent yet; 404 if there never was one.',
  }),
  RotateSecret: handler({
    input: RotateSecret,
    output: Alert,
    isForOperators: true,
    description: 'Signs with another secret from now on, and with the one before too for some hours; 404 if there is none.',
  }),
}
