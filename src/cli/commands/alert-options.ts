import { type Command, InvalidArgumentError, Option } from 'commander'
import { CreateAlertRequest } from '../../contract/alert.ts'
import { ALERT_KINDS, type AlertKind } from '../../contract/alert-condition.ts'
import { plainMessage } from '../../contract/fields/zod-messages.ts'
import { MODES } from '../../contract/popular-list.ts'
import { readSecret } from '../../main/config/secret.ts'
import { UsageError } from '../../main/config/start-error.ts'

export interface CreateOptions {
  name?: string
  below?: number
  mode?: string
  top?: number
  above?: number
  moreThan?: number
  rearmAt?: number
  seller?: string
  category?: string
  product?: string
  secretFile?: string
}

/** Adds what describes an alert. */
export function createOptions(command: Command): Command {
  return command
    .option('--name <name>', 'what people call it; the kind when absent')
    .option('--below <quantity>', 'of low_stock: the quantity', number)
    .addOption(new Option('--mode <mode>', 'of enters_top: the list of popular products').choices(Object.keys(MODES)))
    .option('--top <places>', 'of enters_top: so many places of the list, 1 to 100', number)
    .option('--above <score>', 'of rising_above: the rising score, from 1', number)
    .option('--more-than <searches>', 'of finds_nothing: searches of a query in a day', number)
    .option('--rearm-at <value>', 'where a product must have been before it crosses again; the threshold when absent', number)
    .option('--seller <id>', 'only products of this seller')
    .option('--category <id>', 'only products of this category')
    .option('--product <id>', 'only this product')
    .option('--secret-file <file>', 'take the secret in this file instead of making one')
}

/** @throws UsageError for what the gateway would refuse. */
export function requestOf(kind: AlertKind, url: string, options: CreateOptions): CreateAlertRequest {
  const { name = kind, below, mode, top, above, moreThan, rearmAt, seller, category, product, secretFile } = options
  const filter = present({ seller_id: seller, category, product_id: product })
  const secret = secretFile === undefined ? undefined : readSecret('--secret-file', secretFile)
  const described = present({ name, kind, url, below, mode, top, above, more_than: moreThan, rearm_at: rearmAt, secret })
  const request = { ...described, ...(Object.keys(filter).length > 0 && { filter }) }
  const { data, error } = CreateAlertRequest.safeParse(request, { error: plainMessage })
  if (data !== undefined) return data
  const [{ path, message }] = error.issues as [(typeof error.issues)[0]]
  if (path[0] === 'kind') throw new UsageError(`The kind must be ${Object.keys(ALERT_KINDS).join(', ')}.`)
  throw new UsageError(`${path.join('.')} ${message}.`)
}

function present<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>
}

function number(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It must be a number.')
  return value
}
