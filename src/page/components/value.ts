import { decimalsOf } from '../../contract/fields/currency.ts'
import { ageText } from '../template/header-state.ts'
import { html, type Node } from '../template/html.ts'
import { neutral } from '../template/neutral.ts'

/** A number. `data-digits` says how many decimals page.js shows in the form of the browser. */
export function number(value: number | null | undefined, digits = 0): Node {
  if (value === null || value === undefined) return dash()
  return html`<data class="n" value=${value} data-digits=${digits === 0 ? undefined : digits}>${neutral(value, digits)}</data>`
}

/** An amount in minor units of its currency, such as cents. `value` has as many decimals as the currency. */
export function money(minorUnits: number | null | undefined, currency: string | null | undefined): Node {
  if (minorUnits === null || minorUnits === undefined || !currency) return dash()
  const digits = decimalsOf(currency)
  const amount = (minorUnits / 10 ** digits).toFixed(digits)
  return html`<data class="n" value=${amount} data-currency=${currency}>${neutral(Number(amount), digits)} ${currency}</data>`
}

/** Several amounts, one for each currency. */
export function amounts(list: readonly { currency: string; amount: number }[]): Node {
  if (list.length === 0) return dash()
  return list.map(({ currency, amount }, index) => [index > 0 && html`<br />`, money(amount, currency)])
}

/** A share of 1 as a percentage. */
export function share(value: number | null | undefined, digits = 1): Node {
  if (value === null || value === undefined) return dash()
  return html`<data class="n" value=${value} data-digits=${digits} data-share>${neutral(value * 100, digits)} %</data>`
}

/** An instant, in the time zone of the browser once page.js ran. */
export function instant(iso: string | null | undefined): Node {
  if (!iso) return dash()
  return html`<time datetime=${iso} data-form="instant">${iso.slice(0, 16).replace('T', ' ')} UTC</time>`
}

/** A day in UTC, such as 2026-03-01. */
export function day(iso: string | null | undefined): Node {
  if (!iso) return dash()
  const date = iso.slice(0, 10)
  return html`<time datetime=${date} data-form="day">${date}</time>`
}

/** How long ago an instant was. */
export function ago(iso: string | null | undefined, nowMs: number): Node {
  if (!iso) return dash()
  return html`<time datetime=${iso} data-form="ago">${ageText((nowMs - Date.parse(iso)) / 1_000)} ago</time>`
}

/** From here on a change is shown as a multiple. */
const MULTIPLE_FROM = 1_000

/** A change in percent against the time before. */
export function change(percent: number | null | undefined): Node {
  if (percent === null || percent === undefined) return dash()
  if (percent >= MULTIPLE_FROM) return html`<span class="change up">×${number(1 + percent / 100)}</span>`
  const whole = Math.round(percent)
  const [sign, tone] = whole > 0 ? ['+', 'up'] : whole < 0 ? ['−', 'down'] : ['±', 'same']
  return html`<span class=${`change ${tone}`}>${sign}${number(Math.abs(whole))} %</span>`
}

/** Places up or down. `before` is undefined for what was not among the first `max`, where it is new if it is there now. */
export function rankChange(now: number, before: number | undefined, max = Number.POSITIVE_INFINITY): Node {
  if (before === undefined) return now > max ? dash() : html`<span class="change new">new</span>`
  const places = before - now
  if (places === 0)
    return html`<span class="change same"><span aria-hidden="true">=</span><span class="hidden">same</span></span>`
  const [tone, arrow, word] = places > 0 ? ['up', '▲', 'up'] : ['down', '▼', 'down']
  return html`<span class=${`change ${tone}`}
    ><span aria-hidden="true">${arrow}</span><span class="hidden">${word} </span>${Math.abs(places)}</span
  >`
}

/** For what is not known. */
export function dash(): Node {
  return html`<span class="quiet"><span aria-hidden="true">–</span><span class="hidden">none</span></span>`
}
