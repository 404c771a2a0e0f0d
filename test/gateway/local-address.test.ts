import { expect, test } from 'vitest'
import { localAddress } from '../../src/gateway/routes/session.ts'

test.for([
  ['/', '/'],
  ['/product/lamp?mode=rising', '/product/lamp?mode=rising'],
  ['/a b', '/a%20b'],
  ['/../x', '/x'],
  ['/%2e%2e//evil.example', undefined],
  [undefined, undefined],
  ['', undefined],
  ['products', undefined],
  ['//evil.example', undefined],
  [String.raw`/\evil.example`, undefined],
  [String.raw`\\evil.example`, undefined],
  ['/\t/evil.example', undefined],
  ['/\n/evil.example', undefined],
  ['https://evil.example', undefined],
  ['javascript:alert(1)', undefined],
  ['/..//evil.example', undefined],
] as const)('%j leads to %j', ([text, address]) => {
  expect(localAddress(text)).toBe(address)
})
