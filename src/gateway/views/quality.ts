import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { INGEST_HOURS_MAX, type IngestResponse } from '../../contract/ingest.ts'
import type { RejectedCode, RejectedInteraction, RejectedReplayResponse, RejectedResponse } from '../../contract/rejected.ts'
import type { ReplayRun } from '../../contract/replay-run.ts'
import { addressOf } from '../../page/template/address.ts'
import { isProblem } from '../../page/template/answer.ts'
import { HOURS, qualityView } from '../../page/views/quality.ts'
import { outcomeOf } from '../page/outcome.ts'
import type { ActionResult, PageView } from '../page/view.ts'

const API = '/api/v1/analytic'
const RUNS_SHOWN = 5

/** What came in, what was rejected, and its repair. */
export const quality: PageView = {
  path: '/quality',
  label: 'Quality',
  isInHeader: true,
  access: 'manage',
  isPersonal: true,
  hasChart: true,
  filters: { hours: wholeNumberOfText(1, INGEST_HOURS_MAX) },
  show: async (api, { query, nowMs }) => {
    const { hours = HOURS[0][0], cursor, id, done } = query
    const [ingest, codes, rejected, runs, chosen] = await Promise.all([
      api.get<IngestResponse>('/api/v1/ingest', { hours }),
      api.get<{ data: RejectedCode[] }>(`${API}/rejected/codes`),
      api.get<RejectedResponse>(`${API}/rejected`, { cursor, limit: 20 }),
      api.get<{ data: ReplayRun[] }>(`${API}/rejected-replays`, { limit: RUNS_SHOWN }),
      id === undefined ? undefined : api.get<{ data: RejectedInteraction }>(`${API}/rejected/${encodeURIComponent(id)}`),
    ])
    return { title: 'Quality', body: qualityView({ hours, cursor, done, nowMs, ingest, codes, rejected, runs, chosen }) }
  },
  actions: {
    replay: async (api, { form, query }) => {
      const set = correctionOf(form)
      if (set === undefined) return { problem: 'Nothing was changed: the corrections are not JSON.' }
      const body = Object.keys(set).length === 0 ? {} : { set }
      const path = `${API}/rejected/${encodeURIComponent(form['id'] ?? '')}/replay`
      const answer = await api.send<RejectedReplayResponse>('POST', path, body)
      if (isProblem(answer)) return outcomeOf(answer, '/quality')
      return replayedOf(answer, query)
    },
    replay_code: async (api, { form, query }) =>
      outcomeOf(await api.send('POST', `${API}/rejected-replays`, { code: form['code'] }), doneAt(query, 'started')),
    cancel: async (api, { form, query }) => {
      const answer = await api.send('DELETE', `${API}/rejected-replays/${encodeURIComponent(form['id'] ?? '')}`)
      return outcomeOf(answer, doneAt(query, 'cancelled'))
    },
  },
}

/** Where the list says what was done; the event that was looked at is no longer of interest. */
function doneAt({ id: _seen, ...query }: Readonly<Record<string, string>>, done: string): string {
  return addressOf('/quality', { ...query, done })
}

function replayedOf({ data }: RejectedReplayResponse, query: Readonly<Record<string, string>>): ActionResult {
  const [rejection] = data.rejected
  if (rejection === undefined) return { goTo: doneAt(query, data.duplicates > 0 ? 'duplicate' : 'replayed') }
  const { id, field, message } = rejection
  return { problem: `It was rejected again, as ${id}: ${field === null ? '' : `${field} `}${message}.` }
}

/** The corrected fields; undefined when they cannot be read. An empty text corrects nothing. */
export function correctionOf(form: Readonly<Record<string, string>>): Record<string, unknown> | undefined {
  const { field, value, is_json, set = '{}' } = form
  try {
    const others: unknown = JSON.parse(set)
    if (typeof others !== 'object' || others === null || Array.isArray(others)) return undefined
    if (field === undefined || value === undefined) return { ...others }
    return { [field]: is_json === 'true' ? JSON.parse(value) : value, ...others }
  } catch {
    return undefined
  }
}
