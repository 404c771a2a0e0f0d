import type { AuditEntry } from '../../contract/audit-entry.ts'
import { type KeysResponse, type NewKey, type Session, SCOPES } from '../../contract/key.ts'
import { isProblem } from '../../page/template/answer.ts'
import { keysView } from '../../page/views/keys.ts'
import { outcomeOf } from '../page/outcome.ts'
import type { PageApi } from '../page/page-api.ts'
import type { PageView, ViewRequest } from '../page/view.ts'

const KEYS = '/api/v1/keys'
const SESSIONS = '/api/v1/sessions'

/** Who may call, and which browsers are signed in. */
export const keys: PageView = {
  path: '/keys',
  label: 'Keys',
  isInHeader: true,
  access: 'manage',
  isPersonal: true,
  show: async (api, request) => ({ title: 'Keys', body: await bodyOf(api, request) }),
  actions: {
    create: async (api, request) => {
      const answer = await api.send<{ data: NewKey }>('POST', KEYS, requestOf(request.form))
      if (isProblem(answer)) return outcomeOf(answer, '/keys')
      return { title: 'Keys', body: await bodyOf(api, request, answer.data) }
    },
    revoke: async (api, { form }) =>
      outcomeOf(await api.send('DELETE', `${KEYS}/${encodeURIComponent(form['id'] ?? '')}`), '/keys?done=revoked'),
    end_session: async (api, { form }) =>
      outcomeOf(await api.send('DELETE', `${SESSIONS}/${encodeURIComponent(form['id'] ?? '')}`), '/keys?done=ended'),
  },
}

async function bodyOf(api: PageApi, { query, nowMs }: ViewRequest, made?: NewKey) {
  const { cursor, done } = query
  const [list, sessions, audit] = await Promise.all([
    api.get<KeysResponse>(KEYS, { cursor, limit: 50 }),
    // It says which of them is that of the browser.
    api.get<{ data: Session[] }>(SESSIONS, { limit: 50 }, { keepMs: 0 }),
    api.get<{ data: AuditEntry[] }>('/api/v1/audit-entries', { resource_type: 'key', limit: 15 }),
  ])
  return keysView({ nowMs, done, cursor, keys: list, sessions, audit, made })
}

/** The request of the form; what is wrong with it is said by the API. */
function requestOf(form: Readonly<Record<string, string>>) {
  const { name, seller_id, origins, requests_per_minute: rate } = form
  return {
    name: name ?? '',
    scopes: SCOPES.filter((scope) => form[scope] === 'true'),
    is_publishable: form['is_publishable'] === 'true',
    ...(seller_id !== undefined && { seller_id }),
    ...(origins !== undefined && { origins: origins.split(',').map((origin) => origin.trim()) }),
    ...(rate !== undefined && { requests_per_minute: Number(rate) }),
  }
}
