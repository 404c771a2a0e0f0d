import { randomBytes, randomUUID } from 'node:crypto'
import type { Alert, ChangeAlert, CreateAlert, DeleteAlert, RotateSecret } from '../contract/alert.ts'
import { uuidV7 } from '../contract/fields/event-id.ts'
import { alertApi } from '../contract/services.ts'
import type { Ingress } from './clients.ts'

/** Encrypts a secret with a public key. */
type Seal = (secret: string, publicKey: string) => string

/** Alerts: durable calls, whose secrets travel encrypted. A decision of the handler is thrown as an HttpCallError, see `refusalOf`. */
export interface Alerts {
  create: (request: Omit<CreateAlert, 'alert_id' | 'sealed_secret'>, secret: string) => Promise<Alert>
  rotateSecret: (request: Omit<RotateSecret, 'secret_id' | 'sealed_secret'>, secret: string) => Promise<Alert>
  change: (request: ChangeAlert) => Promise<Alert>
  delete: (request: DeleteAlert) => Promise<Alert>
}

export function createAlertsClient(ingress: Ingress, seal: Seal): Alerts {
  const sealed = async (secret: string) => seal(secret, (await ingress.call(alertApi, 'SealingKey', {})).public_key)
  return {
    create: async (request, secret) => {
      const alert_id = uuidV7(Date.now(), randomBytes(10))
      return ingress.call(alertApi, 'Create', { ...request, alert_id, sealed_secret: await sealed(secret) })
    },
    rotateSecret: async (request, secret) =>
      ingress.call(alertApi, 'RotateSecret', { ...request, secret_id: randomUUID(), sealed_secret: await sealed(secret) }),
    change: (request) => ingress.call(alertApi, 'Change', request),
    delete: (request) => ingress.call(alertApi, 'Delete', request),
  }
}
