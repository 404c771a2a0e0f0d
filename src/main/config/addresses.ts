import { StartError } from './start-error.ts'
import { addressesIn } from '../../ingress/addresses.ts'
import type { addressSettings, portSettings } from './address-settings.ts'
import type { SettingsOf } from './setting.ts'

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
