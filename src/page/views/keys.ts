import type { AuditEntry } from '../../contract/audit-entry.ts'
import type { Key, KeysResponse, NewKey, Session } from '../../contract/key.ts'
import { actionForm, pager } from '../components/form.ts'
import { outcome } from '../components/outcome.ts'
import { badge, columns, empty, panel, partOf, viewHead } from '../components/panel.ts'
import { table } from '../components/table.ts'
import { ago, instant, number } from '../components/value.ts'
import type { Answer } from '../template/answer.ts'
import { html, type Node } from '../template/html.ts'

export interface KeysPage {
  nowMs: number
  done: string | undefined
  cursor: string | undefined
  keys: Answer<KeysResponse>
  sessions: Answer<{ data: Session[] }>
  audit: Answer<{ data: AuditEntry[] }>
  /** A key that was made just now: this is the only time that it is shown. */
  made: NewKey | undefined
}

const OUTCOMES = {
  revoked: 'The key is revoked. Within a second the gateways refuse it, and end its sessions.',
  ended: 'The session is ended.',
}

export function keysView({ nowMs, done, cursor, keys, sessions, audit, made }: KeysPage): Node {
  return [
    viewHead('Keys'),
    outcome(done, OUTCOMES),
    made !== undefined && madePanel(made),
    columns(
      [
        panel(
          'Keys',
          partOf(keys, ({ data, meta }) => [
            data.length === 0 ? noKey() : keysTable(data, nowMs),
            pager('/keys', { cursor }, meta.next_cursor),
          ]),
          { id: 'keys' },
        ),
        panel(
          'Browsers that are signed in',
          partOf(sessions, ({ data }) => (data.length === 0 ? empty('No browser is signed in.') : sessionsTable(data, nowMs))),
          { id: 'sessions' },
        ),
      ],
      [
        panel('Make a key', createForm()),
        panel(
          'Latest changes of keys',
          partOf(audit, ({ data }) => (data.length === 0 ? empty('No key was changed yet.') : auditTable(data, nowMs))),
        ),
      ],
    ),
  ]
}

function madePanel({ key, name }: NewKey): Node {
  return panel(
    `The new key of ${name}`,
    html`<p role="status"><code class="secret">${key}</code></p>
      <p class="quiet">Copy it now. It is not kept, so it cannot be shown again.</p>`,
    { id: 'made' },
  )
}

function keysTable(rows: readonly Key[], nowMs: number): Node {
  return table<Key>({
    caption: 'Keys, newest first',
    columns: [
      { head: 'Name', cell: ({ id, name }) => [name, html` <span class="quiet id">${id}</span>`], isHead: true },
      { head: 'Scopes', cell: mayOf },
      { head: 'Requests a minute', cell: (key) => number(key.requests_per_minute), isNumber: true, shown: 'wide' },
      { head: 'Made', cell: ({ created_at }) => ago(created_at, nowMs), shown: 'medium' },
      { head: 'Last used', cell: ({ last_used_at }) => ago(last_used_at, nowMs), shown: 'medium' },
      { head: 'Change', cell: (key) => revokeForm(key, nowMs) },
    ],
    rows,
    idOf: ({ id }) => id,
  })
}

function mayOf({ scopes, seller_id, is_publishable, origins }: Key): Node {
  return html`<span class="badges"
    >${scopes.map((scope) => badge(scope, scope === 'manage' ? 'warn' : 'neutral'))}${
      seller_id !== null && badge(`seller ${seller_id}`, 'accent')
    }${is_publishable && html`<abbr title=${origins.join(' ')}>${badge('publishable')}</abbr>`}</span
  >`
}

function revokeForm({ id, name, revoked_at }: Key, nowMs: number): Node {
  if (revoked_at !== null) return [badge('revoked', 'bad'), ' ', ago(revoked_at, nowMs)]
  const label = html`Revoke<span class="hidden"> the key of ${name}</span>`
  return actionForm('revoke', [{ kind: 'hidden', name: 'id', value: id }], label, { isDangerous: true })
}

function noKey(): Node {
  return empty(
    'There are no keys, so only programs and browsers of this machine may call.',
    'From the first key on every request needs one: make one with the scope manage first.',
  )
}

function sessionsTable(rows: readonly Session[], nowMs: number): Node {
  return table<Session>({
    caption: 'Sessions of browsers, newest first',
    columns: [
      {
        head: 'Signed in by',
        cell: ({ key_name, seller_id, is_current }) => [
          key_name ?? `token of seller ${seller_id}`,
          is_current && [' ', badge('this browser', 'accent')],
        ],
        isHead: true,
      },
      { head: 'Since', cell: ({ created_at }) => ago(created_at, nowMs), shown: 'medium' },
      { head: 'Last seen', cell: ({ seen_at }) => ago(seen_at, nowMs) },
      { head: 'Ends unless used', cell: ({ expires_at }) => instant(expires_at), shown: 'medium' },
      { head: 'Change', cell: endForm },
    ],
    rows,
    idOf: ({ id }) => id,
  })
}

function endForm({ id, key_name, seller_id }: Session): Node {
  const label = html`End<span class="hidden"> the session of ${key_name ?? seller_id}</span>`
  return actionForm('end_session', [{ kind: 'hidden', name: 'id', value: id }], label, { isDangerous: true })
}

function createForm(): Node {
  return actionForm(
    'create',
    [
      { kind: 'text', name: 'name', label: 'Name of its user', isRequired: true },
      { kind: 'checkbox', name: 'ingest', label: 'ingest: send events' },
      { kind: 'checkbox', name: 'read', label: 'read: lists and numbers' },
      { kind: 'checkbox', name: 'manage', label: 'manage: everything else' },
      { kind: 'text', name: 'seller_id', label: 'Only of the seller', hint: 'With read alone.' },
      { kind: 'checkbox', name: 'is_publishable', label: 'publishable: for a web page, with ingest alone' },
      {
        kind: 'text',
        name: 'origins',
        label: 'Origins of its pages',
        placeholder: 'https://shop.example',
        hint: 'Of a publishable key; several with commas.',
      },
      { kind: 'number', name: 'requests_per_minute', label: 'Requests a minute', min: 1 },
    ],
    'Make the key',
  )
}

function auditTable(rows: readonly AuditEntry[], nowMs: number): Node {
  return table<AuditEntry>({
    caption: 'The latest changes of keys',
    columns: [
      {
        head: 'Change',
        cell: ({ action, actor, resource_id, metadata }) => [
          action,
          html`<br /><span class="quiet">${textOf(metadata['name']) ?? resource_id} by ${actor}</span>`,
        ],
        isHead: true,
      },
      { head: 'When', cell: ({ at }) => ago(at, nowMs) },
    ],
    rows,
    idOf: ({ id }) => id,
  })
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
