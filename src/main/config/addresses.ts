import { StartError } from './start-error.ts'
import { addressesIn } from '../../ingress/addresses.ts'
import { databaseUrls, httpUrls } from './several-urls.ts'
import { httpUrl, port, settingsIn, type SettingsOf, text } from './setting.ts'

export const addressSettings = settingsIn('Data and addresses', {
  FOOTFALL_HOME: text.default('.footfall').describe('Folder for data, logs and generated secrets; relative to the checkout.'),
  DATABASE_URL: databaseUrls
    .optional()
    .describe(
      'Address of a running PostgreSQL 18. Without it, Footfall runs the embedded one. Several with commas between them are a primary and its standbys: the one that takes writes is found and followed.',
    ),
  DATABASE_PASSWORD_FILE: text
    .optional()
    .describe('File with the password of the user in DATABASE_URL. The address itself then needs no password.'),
  RESTATE_INGRESS_URL: httpUrls('http://127.0.0.1:8080')
    .optional()
    .describe(
      'Ingress of a running Restate 1.7. Without it, Footfall runs the embedded one. Several with commas between them are the nodes of one cluster: calls go to the one that answered last, and to the next one when it does not answer.',
    ),
  RESTATE_ADMIN_URL: httpUrls('http://127.0.0.1:9070')
    .optional()
    .describe(
      'Admin port of the same Restate, or several with commas between them. The gateway works without it; everything else that runs alone needs it.',
    ),
  RESTATE_UI_URL: httpUrl('http://127.0.0.1:9070/ui')
    .optional()
    .describe(
      "Where an operator's browser reaches Restate's UI, for links. Without it, it is the first of RESTATE_ADMIN_URL (or the embedded admin port) with /ui.",
    ),
  FOOTFALL_ENDPOINT_URL: httpUrl('http://127.0.0.1:9080')
    .optional()
    .describe('Address at which Restate reaches the service endpoint; http://127.0.0.1:ENDPOINT_PORT when absent.'),
  ENDPOINT_HOST: text
    .default('127.0.0.1')
    .describe(
      'Address that the service endpoint and its metrics listen on. An address that other machines can reach requires RESTATE_IDENTITY_KEY_FILE.',
    ),
  GATEWAY_HOST: text
    .default('127.0.0.1')
    .describe(
      'Address that the gateway listens on. An address that other machines can reach requires a key first: ./footfall key create.',
    ),
})

export const portSettings = settingsIn('Ports', {
  GATEWAY_PORT: port.default(3000).describe('Port of the gateway (REST).'),
  RESTATE_INGRESS_PORT: port.default(8080).describe('Port of the embedded Restate ingress.'),
  RESTATE_ADMIN_PORT: port.default(9070).describe('Port of the embedded Restate admin API and UI.'),
  RESTATE_NODE_PORT: port.default(5122).describe('Port of the embedded Restate node.'),
  ENDPOINT_PORT: port.default(9080).describe('Port of the service endpoint.'),
  ENDPOINT_METRICS_PORT: port.default(9081).describe("Port of the service endpoint's metrics."),
  CONSUMER_METRICS_PORT: port.default(9082).describe('Port of the metrics of the consumer of Kafka.'),
  POSTGRES_PORT: port.default(5433).describe('Port of the embedded PostgreSQL.'),
})

type AddressSettings = SettingsOf<typeof addressSettings>

export interface Addresses {
  /** One, or several with commas between them: see `fetchFrom`. */
  ingressUrl: string
  /** The same. Undefined where only the ingress of a running Restate is set, which is enough for the gateway. */
  adminUrl: string | undefined
  endpointUrl: string
  gatewayUrl: string
}

/** The addresses of all processes, embedded or not. */
export function addressesOf(config: AddressSettings & SettingsOf<typeof portSettings>): Addresses {
  return {
    ingressUrl: config.RESTATE_INGRESS_URL ?? `http://127.0.0.1:${config.RESTATE_INGRESS_PORT}`,
    adminUrl:
      config.RESTATE_INGRESS_URL === undefined ? `http://127.0.0.1:${config.RESTATE_ADMIN_PORT}` : config.RESTATE_ADMIN_URL,
    endpointUrl: config.FOOTFALL_ENDPOINT_URL ?? `http://127.0.0.1:${config.ENDPOINT_PORT}`,
    gatewayUrl: `http://${localHostOf(config.GATEWAY_HOST)}:${config.GATEWAY_PORT}`,
  }
}

/** Restate's admin port. @throws StartError where it is not set. */
export function adminUrlOf(config: Parameters<typeof addressesOf>[0]): string {
  const { adminUrl, ingressUrl } = addressesOf(config)
  if (adminUrl !== undefined) return adminUrl
  throw new StartError(`Set RESTATE_ADMIN_URL too: this needs the admin port of the Restate at ${ingressUrl}.`)
}

/** Restate's UI as an operator's browser reaches it; undefined where neither it nor the admin port is known. */
export function restateUiUrlOf(config: Parameters<typeof addressesOf>[0]): string | undefined {
  const { adminUrl } = addressesOf(config)
  if (config.RESTATE_UI_URL !== undefined || adminUrl === undefined) return config.RESTATE_UI_URL
  // Without a name and a password that the address may have, because it is shown.
  const { origin, pathname } = new URL(addressesIn(adminUrl)[0]!)
  return `${origin}${pathname.replace(/\/$/, '')}/ui`
}

/** The host by which this machine reaches a process that listens on an address. */
function localHostOf(address: string): string {
  if (address === '0.0.0.0' || address === '::') return '127.0.0.1'
  return address.includes(':') ? `[${address}]` : address
}

/** Whether other machines can reach the gateway. */
export function isPublic(config: AddressSettings): boolean {
  return isPublicHost(config.GATEWAY_HOST)
}

/** Whether other machines can reach a process that listens on an address. */
export function isPublicHost(address: string): boolean {
  return !['127.0.0.1', '::1', 'localhost'].includes(address)
}

/** What is wrong with the addresses together; undefined when nothing is. */
export function addressProblem(config: AddressSettings): string | undefined {
  if (config.RESTATE_INGRESS_URL !== undefined || config.RESTATE_ADMIN_URL === undefined) return undefined
  return 'Set RESTATE_INGRESS_URL too: RESTATE_ADMIN_URL is the admin port of the same Restate.'
}
