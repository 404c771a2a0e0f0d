import type { ObjectContext } from '@restatedev/restate-sdk'
import { alertDeliveryApi } from '../src/contract/services.ts'
import type { Sent } from '../src/external/webhook-sender.ts'
import { type Attempt, keepAttempt, nextDelivery } from '../src/store/alerts/delivery.ts'
import type { Deps } from './handler/deps.ts'
import { SINGLE_RUN } from './handler/handler-options.ts'
import { objectOf } from './handler/with-options.ts'

/** Each takes two entries of the journal. Another call sends the rest. */
const DELIVERIES_MAX = 200
/** So many failures in a row end a call, because a receiver that does not answer takes 10 s each time. */
const FAILURES_MAX = 3
const INTERVAL_MS_MAX = 5_000
/** At 5 s each, two months: a call that ends earlier loses outcomes that its journal alone has, and their deliveries are sent again. */
const ATTEMPTS_MAX = 1_000_000

/**
 * AlertDelivery: sends the deliveries of one alert, one after the other. The outcome of an attempt is in the journal before it is in the database,
 * so a process that dies in between does not send again. Only a process that dies after the receiver's answer and before the journal has it
 * sends the same delivery, with the same id, a second time.
 */
export const alertDelivery = (deps: Deps) =>
  objectOf(
    alertDeliveryApi,
    deps,
    {
      // Killed rather than paused, so that the task send-alerts can call again.
      retryPolicy: {
        ...deps.retryPolicy,
        maxInterval: Math.min(INTERVAL_MS_MAX, deps.retryPolicy.maxInterval),
        maxAttempts: ATTEMPTS_MAX,
        onMaxAttempts: 'kill',
      },
    },
    { Deliver: [SINGLE_RUN, (ctx) => deliver(deps, ctx)] },
  )

async function deliver(deps: Deps, ctx: ObjectContext): Promise<void> {
  let failures = 0
  for (let deliveries = 0; deliveries < DELIVERIES_MAX; deliveries++) {
    const attempt = await ctx.run('send the next delivery', () => sendNext(deps, ctx.key))
    if (attempt === null) return
    failures = attempt.error === undefined ? 0 : failures + 1
    await ctx.run('keep the outcome', async () => {
      const status = await keepAttempt(deps.background, attempt)
      if (status !== undefined) deps.observer.alertSent(status === 'pending' ? 'retrying' : status)
    })
    // The task send-alerts sends again.
    if (failures === FAILURES_MAX) return
  }
  ctx.sendClient(alertDeliveryApi, ctx.key).Deliver({})
}

async function sendNext({ background, alerts }: Deps, alertId: string): Promise<Attempt | null> {
  const due = await nextDelivery(background, alertId)
  if (due === undefined) return null
  const { url, body, secrets, attempts } = due
  const sent: Sent = await alerts.send({ url, secrets, deliveryId: body.delivery_id, body: JSON.stringify(body) })
  return { deliveryId: body.delivery_id, attempts, ...sent }
}
