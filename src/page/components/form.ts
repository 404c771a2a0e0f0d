import { addressOf, type QueryValues } from '../template/address.ts'
import { html, type Node } from '../template/html.ts'

interface FieldBase {
  name: string
  label: string
  value?: string | undefined
  /** What is said below the field. */
  hint?: string
}

interface SelectField extends FieldBase {
  kind: 'select'
  options: readonly Option[]
  /** What its values count. */
  unit?: 'hour' | 'day'
}

type Option = readonly [value: string, label: string]

export type Field =
  | (FieldBase & { kind: 'text' | 'search' | 'password' | 'date' | 'month'; placeholder?: string; isRequired?: boolean })
  | (FieldBase & { kind: 'instant' })
  | (FieldBase & { kind: 'number'; min?: number; max?: number; isRequired?: boolean })
  | SelectField
  | (FieldBase & { kind: 'checkbox' })
  | (FieldBase & { kind: 'textarea'; rows?: number })
  | { kind: 'hidden'; name: string; value: string }

/**
 * The filters of a view. They are its query, so that its address can be shared; with the script the view changes in its place, and
 * without it a button sends them. Without autocomplete a browser that goes back shows the filters of that address, and not what was chosen later.
 */
export function filters(path: string, fields: readonly Field[]): Node {
  return html`<form
    class="filters"
    action=${path}
    autocomplete="off"
    hx-get=${path}
    hx-target="#view"
    hx-swap="innerMorph"
    hx-push-url="true"
    hx-trigger="change, submit"
  >
    ${fields.map((field) => fieldOf(field, `filter-${field.name}`))}
    <button type="submit">Show</button>
  </form>`
}

/** A form that changes something: it is posted to the address of the view, whose definition has an action of this name. */
export function actionForm(action: string, fields: readonly Field[], button: Node, { isDangerous = false } = {}): Node {
  return html`<form class="action" method="post">
    <input type="hidden" name="action" value=${action} />
    ${fields.map((field) => fieldOf(field))}
    <button type="submit" class=${isDangerous ? 'danger' : 'primary'}>${button}</button>
  </form>`
}

/** Links to the pages of a list. `from` is the rank with which the next page begins. */
export function pager(path: string, query: QueryValues, nextCursor: string | null | undefined): Node {
  const isFirst = !query['cursor']
  if (isFirst && !nextCursor) return null
  return html`<nav class="pager" aria-label="Pages">
    ${!isFirst && html`<a href=${addressOf(path, { ...query, cursor: undefined, from: undefined })}>First page</a>`}
    ${nextCursor && html`<a href=${addressOf(path, { ...query, cursor: nextCursor })} rel="next">Next page</a>`}
  </nav>`
}

/** Links to variants of a view, e.g. its lists, the current one marked. */
export function tabs(label: string, list: readonly { label: string; address: string; isCurrent: boolean }[]): Node {
  return html`<nav class="tabs" aria-label=${label}>
    ${list.map(({ label, address, isCurrent }) => html`<a href=${address} aria-current=${isCurrent ? 'true' : undefined}>${label}</a>`)}
  </nav>`
}

/** Only one form of a view has ids: an update keeps the focus by them. */
function fieldOf(field: Field, id?: string): Node {
  if (field.kind === 'hidden') return html`<input type="hidden" name=${field.name} value=${field.value} />`
  const { label, hint } = field
  const control = controlOf(field, id)
  return html`<label class=${`field ${field.kind}`}
    ><span>${label}</span>${control}${hint !== undefined && html`<small class="quiet">${hint}</small>`}</label
  >`
}

/** A value of an address that is none of the options is one more, because a browser would show the first one instead. */
function optionsOf({ options, value = '', unit }: SelectField): readonly Option[] {
  if (value === '' || options.some(([option]) => option === value)) return options
  return [...options, [value, unit !== undefined && /^\d+$/.test(value) ? countOf(Number(value), unit) : value]]
}

/** A span in words: "48 hours", "1 day". */
export function countOf(count: number, unit: 'hour' | 'day'): string {
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

function controlOf(field: Exclude<Field, { kind: 'hidden' }>, id: string | undefined): Node {
  const { kind, name, value } = field
  switch (kind) {
    case 'select':
      return html`<select id=${id} name=${name}>
        ${optionsOf(field).map(([option, label]) => html`<option value=${option} selected=${option === (value ?? '')}>${label}</option>`)}
      </select>`
    case 'textarea':
      return html`<textarea id=${id} name=${name} rows=${field.rows ?? 6} spellcheck="false">${value}</textarea>`
    case 'checkbox':
      return html`<input id=${id} type="checkbox" name=${name} value="true" checked=${value === 'true'} />`
    case 'number':
      return html`<input
        id=${id}
        type="number"
        name=${name}
        value=${value}
        min=${field.min}
        max=${field.max}
        required=${field.isRequired}
      />`
    case 'instant':
      return html`<input id=${id} type="text" name=${name} value=${value} placeholder="2026-03-01T12:00Z" autocomplete="off" />`
    case 'text':
    case 'search':
    case 'password':
    case 'date':
    case 'month':
      break
  }
  return html`<input
    id=${id}
    type=${kind}
    name=${name}
    value=${value}
    placeholder=${field.placeholder}
    required=${field.isRequired}
    autocomplete="off"
  />`
}
