import { randomUUID } from 'node:crypto'
import type { RetentionSettings } from '../../services/handler/deps.ts'
import { TASKS } from '../../services/tasks/all.ts'
import { scheduleApi } from '../contract/services.ts'
import type { CallOptions, Ingress } from '../ingress/clients.ts'
import { refusalOf } from '../ingress/refusal.ts'
import { StartError } from './config/start-error.ts'

/** A handler refuses within milliseconds. */
const REFUSAL_MS_MAX = 2_000

/**
 * Starts the schedules of enabled tasks and stops the other schedules. Safe to repeat. Waits for their ends for 2 s at most, because a
 * Start waits behind a paused tick until an operator resumes it, and that must not delay everything else.
 * @throws StartError when a handler refuses its call, e.g. because the operator token is missing.
 */
export async function startSchedules(ingress: Ingress, retention: RetentionSettings): Promise<void> {
  const each = Object.entries(TASKS).map(async ([key, { everyMs, isOn }]) => {
    const options = { key, idempotencyKey: randomUUID() }
    if (isOn(retention)) await send(ingress, ['Start', { every_ms: everyMs }], options)
    else await send(ingress, ['Stop', {}], options)
  })
  await Promise.all(each)
}

type Command = ['Start', { every_ms: number }] | ['Stop', Record<string, never>]

/** Sends a call, then asks for its outcome under the same idempotency key. */
async function send(ingress: Ingress, [handler, input]: Command, options: CallOptions): Promise<void> {
  await ingress.send(scheduleApi, handler, input, options)
  await ingress.call(scheduleApi, handler, input, { ...options, deadlineMs: REFUSAL_MS_MAX }).catch((cause: unknown) => {
    const refusal = refusalOf(cause)
    if (refusal === undefined) return
    throw new StartError(`The schedule of ${options.key} was not changed: ${refusal.message}.`, { cause })
  })
}
