import { makeSealingKeys, unsealed } from '../src/admission/sealed-secret.ts'
import { invalidField } from '../src/contract/decided-error.ts'
import { alertApi } from '../src/contract/services.ts'
import { targetProblem } from '../src/external/webhook-target.ts'
import { changeAlert, createAlert, deleteAlert, rotateSecret } from '../src/store/alerts/alert.ts'
import { keepSealingKeys, sealingKeys } from '../src/store/alerts/alert-secret.ts'
import { replayDelivery } from '../src/store/alerts/delivery-list.ts'
import type { Deps } from './handler/deps.ts'
import { RECORD } from './handler/handler-options.ts'
import { serviceOf } from './handler/with-options.ts'
import { refusingStep } from './recording/step.ts'

/*
 * Alert: conditions on products and searches.
 *
 * 1. A crossing is a row of the statement that caused it (the trigger of catalog.product), or of the transaction that saw it (watch.ts). It is one
 *    delivery, with an id that never changes.
 * 2. Secrets come encrypted and are decrypted inside of steps, so that no journal has a readable secret.
 * 3. Each change writes one audit entry in its own transaction, however often a call is repeated.
 */
export const alert = (deps: Deps) => {
  const step = refusingStep(deps)
  const { background } = deps
  const privateKey = async () => (await keysOf(deps)).privateKey
  const requireTarget = (url: string) => {
    const problem = targetProblem(url, deps.alerts.allowsPrivateTargets)
    if (problem !== undefined) throw invalidField('url', problem)
  }
  return serviceOf(
    alertApi,
    deps,
    { retryPolicy: deps.retryPolicy },
    {
      SealingKey: [
        RECORD,
        (ctx) => step(ctx, 'read the sealing key', async () => ({ public_key: (await keysOf(deps)).publicKey })),
      ],

      Create: [
        RECORD,
        (ctx, request) =>
          step(ctx, 'make the alert', async () => {
            requireTarget(request.url)
            return createAlert(background, request, unsealed(request.sealed_secret, await privateKey()))
          }),
      ],

      Change: [
        RECORD,
        (ctx, request) =>
          step(ctx, 'change the alert', async () => {
            if (request.url !== undefined) requireTarget(request.url)
            return changeAlert(background, request)
          }),
      ],

      Delete: [RECORD, (ctx, request) => step(ctx, 'delete the alert', () => deleteAlert(background, request))],

      RotateSecret: [
        RECORD,
        (ctx, request) =>
          step(ctx, 'change the secret', async () =>
            rotateSecret(background, request, unsealed(request.sealed_secret, await privateKey())),
          ),
      ],

      ReplayDelivery: [RECORD, (ctx, request) => step(ctx, 'replay the delivery', () => replayDelivery(background, request))],
    },
  )
}

/** The keys of this database, which the first call makes. */
async function keysOf({ background }: Deps) {
  return (await sealingKeys(background)) ?? keepSealingKeys(background, await makeSealingKeys())
}
