import { expect, test } from 'vitest'
import { KEPT_BYTES_MAX, KEPT_SHORT_BYTES_MAX, keptItemOf } from '../../src/admission/kept-item.ts'
import { keptShortIn } from '../../src/contract/rejected.ts'

/** An item whose JSON has so many bytes. */
const itemOf = (bytes: number) => 'x'.repeat(bytes - 2)

test.each([
  ['a secret key', false, KEPT_BYTES_MAX],
  ['a publishable key', true, KEPT_SHORT_BYTES_MAX],
])('an item of %s is kept whole up to its limit, and beyond it the first 32 KiB', (_name, isKeptShort, bytesMax) => {
  const whole = itemOf(bytesMax)
  expect(keptItemOf({ item: whole, isKeptShort })).toEqual({ text: JSON.stringify(whole), cutFromBytes: null })
  const cut = keptItemOf({ item: itemOf(bytesMax + 1), isKeptShort })
  expect(cut).toEqual({ text: `"${'x'.repeat(KEPT_SHORT_BYTES_MAX - 1)}`, cutFromBytes: bytesMax + 1 })
})

test.each(['é', '灯', '👩'])('the beginning ends with a whole character: %s', (character) => {
  for (const before of ['', 'a', 'ab', 'abc']) {
    const { text } = keptItemOf({ item: before + character.repeat(20_000), isKeptShort: true })
    expect(text).toMatch(new RegExp(`^"${before}${character}+$`, 'u'))
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(KEPT_SHORT_BYTES_MAX)
  }
})

test('the header names positions', () => {
  expect([...keptShortIn('0,17,4')]).toEqual([0, 17, 4])
  expect([...keptShortIn(undefined), ...keptShortIn('')]).toEqual([])
})
