import { Command, Option } from 'commander'
import { z } from 'zod'
import { Alert } from '../../contract/alert.ts'
import { ALERT_KINDS, type AlertKind } from '../../contract/alert-condition.ts'
import { AlertDelivery, DeliveriesResponse, DELIVERY_STATUSES, type DeliveryStatus } from '../../contract/alert-delivery.ts'
import { readSecret } from '../../main/config/secret.ts'
import { actor } from '../terminal/actor.ts'
import { print, printJson, printTable } from '../terminal/output.ts'
import { createOptions, type CreateOptions, requestOf } from './alert-options.ts'
import { gatewayOf, type GatewayOptions, withGatewayOptions } from './gateway-option.ts'
import { wholeNumber } from './whole-number.ts'

const PATH = '/api/v1/alerts'
const One = z.object({ data: Alert })
const Several = z.object({ data: z.array(Alert) })
const WithSecret = One.extend({ meta: z.object({ secret: z.string() }) })
const Delivery = z.object({ data: AlertDelivery })
const pathOf = (id: string, rest = '') => `${PATH}/${encodeURIComponent(id)}${rest}`

interface Options extends GatewayOptions {
  json?: boolean
}

export function alertsCommand(): Command {
  return new Command('alerts')
    .description('List, make, change and delete alerts, and see what was delivered.')
    .addCommand(listCommand())
    .addCommand(createCommand())
    .addCommand(turnCommand('on', 'Note crossings again.'))
    .addCommand(turnCommand('off', 'Note no crossings. Deliveries that wait are sent all the same.'))
    .addCommand(deleteCommand())
    .addCommand(secretCommand())
    .addCommand(deliveriesCommand())
    .addCommand(replayCommand())
}

const withOptions = (command: Command) => withGatewayOptions(command.option('--json', 'print the answer as JSON'), 'manage')
const idArgument = ['<alert>', 'id of the alert, as listed'] as const

function listCommand(): Command {
  return withOptions(new Command('list').description('List the alerts that are not deleted.')).action(
    async (options: Options) => {
      const { data } = (await gatewayOf(options).ask(Several, PATH)).answer
      if (options.json) printJson(data)
      else if (data.length === 0) print('There is no alert.')
      else printTable(data.map(lineOf))
    },
  )
}

function createCommand(): Command {
  const command = new Command('create')
    .description('Make an alert and print its secret, which signs the deliveries and cannot be shown again.')
    .argument('<kind>', Object.keys(ALERT_KINDS).join(', '))
    .argument('<url>', 'where deliveries are sent, https:// or http://')
    .addHelpText('after', HELP)
  return withOptions(createOptions(command)).action(async (kind: AlertKind, url: string, options: CreateOptions & Options) => {
    const body = { ...requestOf(kind, url, options), requested_by: actor() }
    const { data, meta } = (await gatewayOf(options).ask(WithSecret, PATH, { method: 'POST', body })).answer
    printWithSecret(options, data, meta.secret)
  })
}

function turnCommand(state: 'on' | 'off', description: string): Command {
  return withOptions(new Command(state).description(description).argument(...idArgument)).action(
    async (id: string, options: Options) => {
      const asked = { method: 'PATCH', body: { is_on: state === 'on', requested_by: actor() } } as const
      const { data } = (await gatewayOf(options).ask(One, pathOf(id), asked)).answer
      if (options.json) printJson(data)
      else print(`Alert ${data.id} (${data.name}) is ${data.is_on ? 'on' : 'off'}.`)
    },
  )
}

function deleteCommand(): Command {
  const command = new Command('delete').description('Delete an alert, and drop what was not sent yet.').argument(...idArgument)
  return withOptions(command).action(async (id: string, options: Options) => {
    const { data } = (await gatewayOf(options).ask(One, pathOf(id), { method: 'DELETE' })).answer
    if (options.json) printJson(data)
    else print(`Alert ${data.id} (${data.name}) is deleted.`)
  })
}

function secretCommand(): Command {
  const command = new Command('secret')
    .description('Change the secret of an alert, and print the new one. The one before signs too for some hours.')
    .argument(...idArgument)
    .option('--old-hours <hours>', 'hours for which the secret before stays valid, 0 to 744', wholeNumber(0, 744), 24)
    .option('--secret-file <file>', 'take the secret in this file instead of making one')
  return withOptions(command).action(async (id: string, options: Options & { oldHours: number; secretFile?: string }) => {
    const secret = options.secretFile && { secret: readSecret('--secret-file', options.secretFile) }
    const body = { ...secret, old_hours: options.oldHours, requested_by: actor() }
    const { data, meta } = (await gatewayOf(options).ask(WithSecret, pathOf(id, '/secret'), { method: 'POST', body })).answer
    printWithSecret(options, data, meta.secret)
  })
}

function deliveriesCommand(): Command {
  const command = new Command('deliveries')
    .description('List the deliveries of an alert, the newest first.')
    .argument(...idArgument)
    .option('-n, --limit <count>', 'number of deliveries, 1 to 100', wholeNumber(1, 100), 20)
    .addOption(new Option('--status <status>', 'only deliveries in this state').choices(DELIVERY_STATUSES))
  return withOptions(command).action(async (id: string, options: Options & { limit: number; status?: DeliveryStatus }) => {
    const { limit, status } = options
    const query = new URLSearchParams({ limit: String(limit), ...(status !== undefined && { status }) })
    const { data } = (await gatewayOf(options).ask(DeliveriesResponse, `${pathOf(id, '/deliveries')}?${query.toString()}`)).answer
    if (options.json) printJson(data)
    else if (data.length === 0) print('There is no delivery.')
    else printTable(data.map(deliveryLineOf))
  })
}

function replayCommand(): Command {
  const command = new Command('replay')
    .description('Send a delivery again, with the same id.')
    .argument(...idArgument)
    .argument('<delivery>', 'id of the delivery, as listed')
  return withOptions(command).action(async (id: string, delivery: string, options: Options) => {
    const path = pathOf(id, `/deliveries/${encodeURIComponent(delivery)}/replay`)
    const { data } = (await gatewayOf(options).ask(Delivery, path, { method: 'POST' })).answer
    if (options.json) printJson(data)
    else print(`Delivery ${data.delivery_id} is sent again within seconds.`)
  })
}

function printWithSecret({ json }: Options, alert: Alert, secret: string): void {
  if (json) return printJson({ ...alert, secret })
  print(`Alert ${alert.id} (${alert.name}). Keep its secret now, it is not shown again:`, '', `  ${secret}`, '')
}

function lineOf({ id, name, kind, filter, url, is_on: isOn, pending, failed, ...rest }: Alert) {
  const threshold = rest[ALERT_KINDS[kind]]
  const of = Object.entries(filter ?? {}).map(([field, value]) => `${field} ${value}`)
  return { id, name, kind: [kind, rest.mode, threshold, ...of].filter(Boolean).join(' '), url, is_on: isOn, pending, failed }
}

function deliveryLineOf({ delivery_id, crossed_at, facts, status, attempts, error }: AlertDelivery) {
  const subject = facts['product_id'] ?? facts['query']
  return { delivery_id, crossed_at, subject, status, attempts, error: error ?? '' }
}

const HELP = `
docs/alerts.md says what crosses a condition, and how a receiver checks the signature.

  ./footfall alerts create low_stock https://hooks.example.com/stock --below 10 --category lighting
  ./footfall alerts create enters_top https://hooks.example.com/top --mode trending --top 10
  ./footfall alerts create rising_above https://hooks.example.com/rising --above 2
  ./footfall alerts create finds_nothing https://hooks.example.com/searches --more-than 20
`
