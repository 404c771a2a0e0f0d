import { expect, test } from 'vitest'
import { parseForm } from '../../src/gateway/http/form-body.ts'

test.for([
  ['', {}],
  ['key=ff_1&next=%2F', { key: 'ff_1', next: '/' }],
  ['scopes=read&scopes=manage&name=a+b', { scopes: ['read', 'manage'], name: 'a b' }],
  ['a=1&a=2&a=3', { a: ['1', '2', '3'] }],
  ['name=s%C3%BCd', { name: 'süd' }],
] as const)('%s', ([body, fields]) => {
  expect(parseForm(Buffer.from(body))).toEqual(fields)
})

test('the name of a field is never more than a name', () => {
  const fields = parseForm(Buffer.from('__proto__=x&constructor=y&toString=z'))
  expect(Object.keys(fields)).toEqual(['__proto__', 'constructor', 'toString'])
  expect(Object.getPrototypeOf(fields)).toBe(Object.prototype)
})

test.for([
  ['no UTF-8', Buffer.from([0x61, 0x3d, 0xff])],
  ['NUL', Buffer.from('a=%00')],
  ['too many fields', Buffer.from('a=1&'.repeat(1_001))],
] as const)('a form with %s is refused', ([_what, body]) => {
  expect(() => parseForm(body)).toThrow('the form')
})
