import { Counter, Histogram, type Registry } from 'prom-client'
import type { ServiceObserver, Target } from '../../../services/handler/observer.ts'
import type { RecordPaymentResponse } from '../../contract/payment.ts'
import { GROUP_BATCHES_MAX } from '../../store/log/waiting.ts'
import { labelledCounter } from './labelled-counter.ts'
import { OUTCOMES, recordedCounters } from './recorded.ts'
import { EVENTS } from './registry.ts'

const BATCHES = [1, 2, 4, 8, 16, 32, GROUP_BATCHES_MAX]

const PAYMENTS = {
  name: 'footfall_payments_total',
  help: 'Outcomes of payment callbacks: accepted, duplicate, rejected, or accepted_in_part (a part of it does not count).',
  label: 'outcome',
  values: [...OUTCOMES, 'accepted_in_part'],
}
const SET_ASIDE = {
  name: 'footfall_set_aside_calls_total',
  help: 'Calls that a recorder set aside, because they failed for another reason than an outage: paused until an operator resumes them.',
}
const REFUSED = {
  name: 'footfall_refused_calls_total',
  help: 'Direct calls that were refused, because PostgreSQL is away and too many calls wait. A call that was sent one-way is lost.',
}
const IMPRESSIONS = {
  name: 'footfall_impressions_recorded_total',
  help: 'Impressions of recommendations that were recorded.',
}
const ALERTS = {
  name: 'footfall_alert_attempts_total',
  help: 'Attempts to deliver alerts, by what the delivery is afterwards: delivered, retrying, failed (given up after a day) or dropped (its alert was deleted).',
  label: 'outcome',
  values: ['delivered', 'retrying', 'failed', 'dropped'],
}
const REJECTIONS = {
  name: 'footfall_rejections_total',
  help: 'Rejected interactions, searches and analytics events.',
  label: 'code',
  values: ['invalid', 'too_old', 'in_future', 'refused', 'inactive_source'],
}
const TARGETS: readonly Target[] = ['popularity', 'profiles']
const LOST = {
  name: 'footfall_lost_batches_total',
  help: 'Batches that a message asked to count (popularity) or feed (profiles), and that the log does not have: PostgreSQL lost commits. A batch that was left to another message of its process is not looked up.',
  label: 'target',
  values: TARGETS,
}

/** Makes metrics of the services' work. */
export function serviceMetrics(registry: Registry): ServiceObserver {
  const batchEvents = new Histogram({
    name: 'footfall_batch_events',
    help: 'Interactions or searches per recorded call, rejected ones included.',
    buckets: EVENTS,
    registers: [registry],
  })
  const countByKind = recordedCounters(registry, 'footfall', 'of every recorded call')
  const countPayment = labelledCounter(registry, PAYMENTS)
  const countRejection = labelledCounter(registry, REJECTIONS)
  const countAlert = labelledCounter(registry, ALERTS)
  const countLost = labelledCounter(registry, LOST)
  const setAside = new Counter({ ...SET_ASIDE, registers: [registry] })
  const refused = new Counter({ ...REFUSED, registers: [registry] })
  const impressions = new Counter({ ...IMPRESSIONS, registers: [registry] })
  const observeGroupBatches = groupHistogram(registry, 'batches', BATCHES)
  const observeGroupEvents = groupHistogram(registry, 'events', EVENTS)

  return {
    recorded: ({ kind, accepted, duplicates, rejected }) => {
      batchEvents.observe(accepted + duplicates + rejected.length)
      countByKind[kind]({ accepted, duplicates, rejected: rejected.length })
      for (const { code } of rejected) countRejection(code)
    },
    paid: (answers) => {
      for (const answer of answers) countPayment(outcomeOfPayment(answer))
    },
    groupCounted: (target, { batches, events }) => {
      observeGroupBatches(target, batches)
      observeGroupEvents(target, events)
    },
    batchLost: (target) => countLost(target),
    alertSent: (outcome) => countAlert(outcome),
    setAside: () => setAside.inc(),
    callRefused: () => refused.inc(),
    impressions: (count) => impressions.inc(count),
  }
}

function groupHistogram(registry: Registry, unit: 'batches' | 'events', buckets: number[]) {
  const histogram = new Histogram({
    name: `footfall_group_${unit}`,
    help: `Number of ${unit} that one transaction counted (popularity) or fed (profiles).`,
    labelNames: ['target'],
    buckets,
    registers: [registry],
  })
  for (const target of TARGETS) histogram.zero({ target })
  return (target: Target, count: number) => histogram.observe({ target }, count)
}

function outcomeOfPayment({ accepted, duplicates, rejected }: RecordPaymentResponse): string {
  if (duplicates > 0) return 'duplicate'
  if (accepted === 0) return 'rejected'
  return rejected.length > 0 ? 'accepted_in_part' : 'accepted'
}
