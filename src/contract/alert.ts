import { z } from 'zod'
import { checkCondition, condition } from './alert-condition.ts'
import { storableText } from './fields/text.ts'
import { wholeNumber } from './fields/whole-number.ts'
import { handler, Nothing } from './handler.ts'

/** Alerts that are not deleted. Each change of stock is compared with all of them. */
export const ALERTS_MAX = 100
const URL_CHARACTERS_MAX = 2_000
const SECRET = /^[\x21-\x7e]{16,200}$/
const OLD_HOURS_DEFAULT = 24
/** A month. */
const OLD_HOURS_MAX = 744

const CONTROL = /\p{Cc}/u
const name = storableText(200)
  .refine((text) => !CONTROL.test(text), { error: 'must not contain control characters' })
  .describe('What people call it.')
const url = storableText(URL_CHARACTERS_MAX).describe(
  'Where deliveries are sent: http or https, without a user, a password or a fragment. Callers with the scope manage can read it.',
)
const secret = z
  .string()
  .regex(SECRET, { error: 'must have 16 to 200 printable ASCII characters without blanks' })
  .describe('Signs the deliveries. Made by Footfall when absent.')
const requestedBy = storableText(200).optional().describe('The name of the person who wants it: recorded, not verified.')
const actor = storableText(200).describe('The caller, for the audit log.')

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
