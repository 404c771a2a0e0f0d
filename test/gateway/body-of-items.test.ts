import { expect, test } from 'vitest'
import { bodyOfItems } from '../../src/ingress/recorder.ts'

test('texts and bytes of items become one body', () => {
  const items = ['{"a":"ä"},{"b":1}', Buffer.from('{"c":"🛒"}'), '{"d":2}']
  const text = '{"searches":[{"a":"ä"},{"b":1},{"c":"🛒"},{"d":2}]}'
  expect(bodyOfItems(items, 'searches').toString()).toBe(text)
  expect(bodyOfItems(items.map(String), 'searches').toString()).toBe(text)
})
