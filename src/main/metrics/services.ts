import { type HooksProvider, internal, TerminalError } from '@restatedev/restate-sdk'
import { Counter, Histogram, type Registry } from 'prom-client'
import type { ServiceObserver } from '../../../services/handler/observer.ts'
import { DecidedError } from '../../contract/decided-error.ts'
import type { RecordPaymentResponse } from '../../contract/payment.ts'
import { recordedCounters } from './recorded.ts'
import { EVENTS, SECONDS } from './registry.ts'
import { GROUP_BATCHES_MAX } from '../../store/log/group.ts'

const BATCHES = [1, 2, 4, 8, 16, 32, GROUP_BATCHES_MAX]

/** What the services tell, as metrics. */
export function serviceMetrics(registry: Registry): ServiceObserver {
  const registers = [registry]
  const batchEvents = new Histogram({
    name: 'footfall_batch_events',
    help: 'Interactions or searches of one recorded call, the rejected ones included.',
    buckets: EVENTS,
    registers,
  })
  const byKind = recordedCounters(registry, 'footfall', 'of every recorded call')
  const payments = new Counter({
    name: 'footfall_payments_total',
    help: 'What became of payment callbacks: accepted, duplicate, rejected, or accepted_in_part when not all of one could be taken back.',
    labelNames: ['outcome'],
    registers,
  })
  const rejections = new Counter({
    name: 'footfall_rejections_total',
    help: 'Interactions, searches and analytics events that were rejected.',
    labelNames: ['code'],
    registers,
  })
  const groupBatches = new Histogram({
    name: 'footfall_group_batches',
    help: 'Batches that were counted (popularity) or fed (profiles) in one transaction.',
    labelNames: ['target'],
    buckets: BATCHES,
    registers,
  })
  const groupEvents = new Histogram({
    name: 'footfall_group_events',
    help: 'Events that were counted (popularity) or fed (profiles) in one transaction.',
    labelNames: ['target'],
    buckets: EVENTS,
    registers,
  })
  for (const outcome of ['accepted', 'duplicate', 'rejected']) {
    payments.inc({ outcome }, 0)
  }
  payments.inc({ outcome: 'accepted_in_part' }, 0)
  for (const code of ['invalid', 'too_old', 'in_future', 'refused', 'inactive_source']) rejections.inc({ code }, 0)
  for (const histogram of [groupBatches, groupEvents]) {
    for (const target of ['popularity', 'profiles']) histogram.zero({ target })
  }

  return {
    recorded: ({ kind, accepted, duplicates, rejected }) => {
      batchEvents.observe(accepted + duplicates + rejected.length)
      byKind[kind]({ accepted, duplicates, rejected: rejected.length })
      for (const { code } of rejected) rejections.inc({ code })
    },
    paid: (answers) => {
      for (const answer of answers) payments.inc({ outcome: outcomeOfPayment(answer) })
    },
    groupCounted: (target, { batches, events }) => {
      groupBatches.observe({ target }, batches)
      groupEvents.observe({ target }, events)
    },
  }
}

function outcomeOfPayment({ accepted, duplicates, rejected }: RecordPaymentResponse): string {
  if (duplicates > 0) return 'duplicate'
  if (accepted === 0) return 'rejected'
  return rejected.length > 0 ? 'accepted_in_part' : 'accepted'
}

/** Times every attempt of a handler, and says how it ended. */
export function handlerTimes(registry: Registry): HooksProvider {
  const attempts = new Histogram({
    name: 'footfall_handler_attempt_duration_seconds',
    help: 'Attempts of a handler: success, terminal (a decided error), error (tried again, or 503 of a read), or suspended.',
    labelNames: ['service', 'handler', 'outcome'],
    buckets: SECONDS,
    registers: [registry],
  })
  return ({ request: { target } }) => {
    const { service, handler } = target
    const startedAt = performance.now()
    const ended = (outcome: string) => attempts.observe({ service, handler, outcome }, (performance.now() - startedAt) / 1_000)
    return {
      interceptor: {
        handler: async (next) => {
          try {
            await next()
            ended('success')
          } catch (error) {
            ended(outcomeOf(error))
            throw error
          }
        },
      },
    }
  }
}

/** Suspended is what an attempt does that waits, or whose connection is gone: another one goes on where it stopped. */
function outcomeOf(error: unknown): 'terminal' | 'error' | 'suspended' {
  if (internal.isSuspendedError(error)) return 'suspended'
  const isDecided = error instanceof DecidedError && error.code !== 'unavailable'
  return isDecided || error instanceof TerminalError ? 'terminal' : 'error'
}
