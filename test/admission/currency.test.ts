import { expect, test } from 'vitest'
import { Currency, decimalsOf } from '../../src/contract/fields/currency.ts'

test('every active code of ISO 4217 is a currency, also those that browsers do not know', () => {
  const codes = 'EUR JPY KWD CLF CLP CHE CHW COU BOV MXV USN UYI UYU UYW VED VES SLE XCG ZWG XAU XDR XSU XUA XBA XPT'.split(' ')
  expect(codes.filter((code) => !Currency.safeParse(code).success)).toEqual([])
})

test.each(['XXX', 'XTS', 'EUX', 'eur', 'BTC', ''])('%j is none', (code) => {
  expect(Currency.safeParse(code).success).toBe(false)
})

test.each([
  ['CLF', 4],
  ['UYW', 4],
  ['KWD', 3],
  ['IQD', 3],
  ['EUR', 2],
  ['HUF', 2],
  ['VED', 2],
  ['CHE', 2],
  ['JPY', 0],
  ['UYI', 0],
])('amounts in %s have %d decimals', (code, decimals) => {
  expect(decimalsOf(code)).toBe(decimals)
})
