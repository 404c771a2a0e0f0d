import type { RejectedInteraction } from '../../contract/rejected.ts'
import { actionForm, type Field } from '../components/form.ts'
import { badge, facts, grid, panel, partOf } from '../components/panel.ts'
import { instant } from '../components/value.ts'
import type { Answer } from '../template/answer.ts'
import { html, type Node } from '../template/html.ts'

/** A rejected event beside the form that corrects it and sends it again. `back` is the list. */
export function repairPanel(answer: Answer<{ data: RejectedInteraction }>, back: string): Node {
  return panel(
    'A rejected event',
    partOf(answer, ({ data }) => grid([itemOf(data), html`<div class="body">${reasonOf(data)}${repairOf(data)}</div>`])),
    { id: 'repair', note: html`<a href=${back}>All rejected events</a>` },
  )
}

function itemOf({ item }: RejectedInteraction): Node {
  const text = typeof item === 'string' ? item : JSON.stringify(item, null, 2)
  return html`<div class="body" tabindex="0" role="region" aria-label="The event as it was sent"><pre>${text}</pre></div>`
}

function reasonOf({ id, code, field, message, received_at, replayed_at }: RejectedInteraction): Node {
  return facts([
    ['Event', [id, ' ', badge(code, 'warn')]],
    ['Why', [field !== null && html`<code>${field}</code>`, ' ', message]],
    ['Received', instant(received_at)],
    ...(replayed_at === null ? [] : [['Replayed', instant(replayed_at)] as const]),
  ])
}

function repairOf({ id, item, field, replayed_at, cut_from_bytes }: RejectedInteraction): Node {
  if (replayed_at !== null) return html`<p class="quiet">It was replayed, so it cannot be sent again.</p>`
  if (cut_from_bytes !== null)
    return html`<p class="quiet">Only its beginning is kept, so it cannot be sent again. It had ${cut_from_bytes} bytes.</p>`
  return actionForm('replay', [{ kind: 'hidden', name: 'id', value: id }, ...correctionOf(item, field)], 'Send again')
}

/** The wrong field, as JSON unless it was a text or absent, and any other fields as JSON. */
function correctionOf(item: unknown, field: string | null): Field[] {
  const others: Field = {
    kind: 'textarea',
    name: 'set',
    label: 'More corrections, as JSON',
    rows: 3,
    hint: 'e.g. {"quantity": 2, "metadata": null}; null removes a field.',
  }
  // A part of a field, such as items.0.quantity, is corrected by the whole field.
  if (field === null || field.includes('.')) return [others]
  const sent = (item as Record<string, unknown> | null)?.[field]
  const isText = typeof sent === 'string' || sent === undefined
  const value = isText ? (sent ?? '') : JSON.stringify(sent)
  const hint = isText ? 'What it should have been.' : 'What it should have been, as JSON: a text is between quotes.'
  return [
    { kind: 'hidden', name: 'field', value: field },
    ...(isText ? [] : [{ kind: 'hidden', name: 'is_json', value: 'true' } as const]),
    { kind: 'text', name: 'value', label: field, value, hint },
    others,
  ]
}
