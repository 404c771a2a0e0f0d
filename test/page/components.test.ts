import { expect, test } from 'vitest'
import { filters, pager } from '../../src/page/components/form.ts'
import { sparkline } from '../../src/page/components/sparkline.ts'
import { amounts, change, money, number, rankChange, share } from '../../src/page/components/value.ts'
import { addressOf } from '../../src/page/template/address.ts'
import { ageText, headerState } from '../../src/page/template/header-state.ts'
import { type Node, textOf } from '../../src/page/template/html.ts'

const words = (node: Node) =>
  textOf(node)
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/ +/g, ' ')
    .trim()

test.each<[Node, string]>([
  [number(1_234_567), '1 234 567'],
  [number(-1_234.56, 1), '-1 234.6'],
  [number(null), '– none'],
  [money(4_990, 'EUR'), '49.90 EUR'],
  [money(4_990, 'JPY'), '4 990 JPY'],
  [money(4_990, 'KWD'), '4.990 KWD'],
  [money(1_500_000, 'IQD'), '1 500.000 IQD'],
  [money(-123_456, 'EUR'), '-1 234.56 EUR'],
  [money(4_990, undefined), '– none'],
  [share(0.256), '25.6 %'],
  [change(12.6), '+ 13 %'],
  [change(-3), '− 3 %'],
  [change(0.4), '± 0 %'],
  [number(-0.04, 1), '0.0'],
  [change(177_662), '× 1 778'],
  [change(null), '– none'],
  [rankChange(3, 7), '▲ up 4'],
  [rankChange(7, 3), '▼ down 4'],
  [rankChange(3, undefined), 'new'],
  [rankChange(101, undefined, 100), '– none'],
])('a value is written so that every reader understands it: %#', (node, text) => {
  expect(words(node)).toBe(text)
})

test('the value of an amount is exact, for programs and for the form of the browser', () => {
  expect(textOf(money(4_990, 'EUR'))).toBe('<data class="n" value="49.90" data-currency="EUR">49.90 EUR</data>')
  expect(
    words(
      amounts([
        { currency: 'EUR', amount: 100 },
        { currency: 'USD', amount: 200 },
      ]),
    ),
  ).toBe('1.00 EUR 2.00 USD')
})

test.each([
  [0.4, '0 s'],
  [14, '14 s'],
  [119, '1 min'],
  [7_200, '2 h'],
  [200_000, '2 d'],
])('an age of %d seconds is %s', (seconds, text) => {
  expect(ageText(seconds)).toBe(text)
})

test('a sparkline ends with a dot for the hour that runs, and is named for those who do not see it', () => {
  const text = textOf(sparkline([0, 4, 2], 'Events of lamp'))
  expect(text).toContain('role="img" aria-label="Events of lamp"')
  expect(text).toContain('d="M4 44l92-40"')
  expect(text).toContain('<circle cx="188" cy="24"')
  expect(textOf(sparkline([3], 'x'))).not.toContain('<path')
})

test('the header leaves out what is not known, and says a wrong proof', () => {
  expect(textOf(headerState({ nowMs: 0 }))).toBe('')
  const proof = { finishedAt: '2026-03-01T12:00:00Z', cells: 561_734, driftCount: 2 }
  const state = headerState({
    countedUpToSeconds: 3.2,
    proof,
    caller: { name: 'Ada', canSignOut: true },
    nowMs: Date.parse('2026-03-01T12:02:10Z'),
  })
  expect(words(state)).toMatch(
    /^Counted up to 3 s ago\s+Verified 2 min ago: 2 of 561 734 cells wrong\s+Signed in as Ada\s+Sign out$/,
  )
  expect(textOf(state)).toContain('class="proof bad"')
  // Spaces between a word and a tag are easily lost, because those with a line break are left out.
  expect(textOf(state).replaceAll(/<[^>]*>/g, '')).toMatch(/ago: 2 of 561.734 cells wrong/)
})

test('while nothing comes in, the header says why in the place of how fresh the numbers are', () => {
  const state = { countedUpToSeconds: null, nowMs: 0 }
  expect(textOf(headerState(state))).toBe('<span class="fresh">Everything is counted</span>')
  const reason = 'Restate does not answer'
  expect(textOf(headerState({ ...state, notReady: { reason, address: '/operations' } }))).toBe(
    '<span class="fresh bad"><a href="/operations">Not ready: Restate does not answer</a></span>',
  )
  expect(textOf(headerState({ ...state, notReady: { reason, address: undefined } }))).not.toContain('<a')
})

test('filters are fields of a GET form, and pages keep them', () => {
  const form = textOf(filters('/products', [{ kind: 'text', name: 'brand', label: 'Brand', value: '"&<' }]))
  expect(form).toContain('action="/products" autocomplete="off" hx-get="/products"')
  expect(form).toContain('value="&quot;&amp;&lt;"')
  expect(form).not.toContain('method=')
  expect(textOf(pager('/x', { brand: 'a b', cursor: 'c' }, null))).toContain('href="/x?brand=a+b">First page')
  expect(pager('/x', {}, null)).toBeNull()
  expect(addressOf('/x', { a: '', b: undefined, c: ['1', '2'] })).toBe('/x?c=1&c=2')
})
