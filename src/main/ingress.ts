import { createIngress, type Ingress, type IngressOptions } from '../ingress/clients.ts'
import { addressesOf } from './config/addresses.ts'
import type { Config } from './config/config.ts'
import { operatorTokensOf } from './config/operator-token.ts'

/** Restate's ingress, with the operator token if there is one. @throws StartError when the file of the token is unusable. */
export function ingressOf(config: Config, options: Pick<IngressOptions, 'deadlineMs'> = {}): Ingress {
  return createIngress({ url: addressesOf(config).ingressUrl, operatorToken: operatorTokensOf(config)[0], ...options })
}
