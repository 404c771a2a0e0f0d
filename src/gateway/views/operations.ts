import type { AboutResponse } from '../../contract/about.ts'
import type { ArchivedMonth } from '../../contract/archived-month.ts'
import type { AuditEntry } from '../../contract/audit-entry.ts'
import type { BacklogResponse } from '../../contract/backlog.ts'
import type { ErasureRun } from '../../contract/erasure.ts'
import type { StuckInvocationsResponse } from '../../contract/invocation.ts'
import type { KafkaLagResponse } from '../../contract/kafka-lag.ts'
import type { PersonExport } from '../../contract/person-export.ts'
import type { ScheduleState } from '../../contract/schedule.ts'
import type { LatestVerification, VerificationRun } from '../../contract/verification-run.ts'
import { SYSTEM_ACTOR } from '../../store/audit/audit-entry.ts'
import { operationsView, type Ready } from '../../page/views/operations.ts'
import { READY } from '../page/header.ts'
import { outcomeOf } from '../page/outcome.ts'
import type { PageView } from '../page/view.ts'

const VERIFICATIONS = '/api/v1/verifications'
/** The view is for when something does not work, so no part waits longer for its answer. */
const PART = { msMax: 2_000 }
/** They look through what Restate and Kafka have. */
const COSTLY = { ...PART, keepMs: 5_000 }
/** Two calls through Restate for each task, which cost the servers much more than what else the view asks. */
const SCHEDULES = { ...PART, keepMs: 30_000 }

/** Whether the system works, what waits and fails in it, and whether its numbers are right. */
export const operations: PageView = {
  path: '/operations',
  label: 'Operations',
  isInHeader: true,
  access: 'manage',
  isPersonal: true,
  isLive: true,
  show: async (api, { query, nowMs }) => {
    const [ready, about, backlog, latest, verifications, invocations, schedules, kafka, archives, erasures, exports, audit] =
      await Promise.all([
        api.get<Ready>('/ready', {}, READY),
        api.get<AboutResponse>('/api/v1/about', {}, PART),
        api.get<BacklogResponse>('/api/v1/backlog', {}, PART),
        api.get<{ data: LatestVerification | null }>(`${VERIFICATIONS}/latest`, {}, PART),
        api.get<{ data: VerificationRun[] }>(VERIFICATIONS, { limit: 5 }, PART),
        api.get<StuckInvocationsResponse>('/api/v1/invocations', {}, COSTLY),
        api.get<{ data: ScheduleState[] }>('/api/v1/schedules', {}, SCHEDULES),
        api.get<KafkaLagResponse>('/api/v1/kafka', {}, COSTLY),
        api.get<{ data: ArchivedMonth[] }>('/api/v1/archives', { limit: 9 }, PART),
        api.get<{ data: ErasureRun[] }>('/api/v1/erasures', { limit: 10 }, PART),
        api.get<{ data: PersonExport[] }>('/api/v1/exports', { limit: 10 }, PART),
        api.get<{ data: AuditEntry[] }>('/api/v1/audit-entries', { limit: 10, except_actor: SYSTEM_ACTOR }, PART),
      ])
    const answers = {
      ready,
      about,
      backlog,
      latest,
      verifications,
      invocations,
      schedules,
      kafka,
      archives,
      erasures,
      exports,
      audit,
    }
    return { title: 'Operations', body: operationsView({ nowMs, done: query['done'], ...answers }) }
  },
  actions: {
    verify: async (api) => outcomeOf(await api.send('POST', VERIFICATIONS, {}), '/operations?done=started'),
    cancel: async (api, { form }) => {
      const answer = await api.send('DELETE', `${VERIFICATIONS}/${encodeURIComponent(form['id'] ?? '')}`)
      return outcomeOf(answer, '/operations?done=cancelled')
    },
  },
}
