import { expect, test } from 'vitest'
import { makeSealingKeys, sealed, unsealed } from '../../src/admission/sealed-secret.ts'

const keys = await makeSealingKeys()

test('a secret of the longest length comes back, and is sealed otherwise each time', () => {
  const secret = '~'.repeat(200)
  const [one, other] = [sealed(secret, keys.publicKey), sealed(secret, keys.publicKey)]
  expect(one).not.toBe(other)
  expect([one, other].map((text) => unsealed(text, keys.privateKey))).toEqual([secret, secret])
})

test('a text that was not sealed with the key is refused', async () => {
  const foreign = await makeSealingKeys()
  for (const text of ['', 'x', 'a-plain-secret-of-a-caller', sealed('a secret of another', foreign.publicKey)]) {
    expect(() => unsealed(text, keys.privateKey)).toThrow(/sealed_secret: is not encrypted/)
  }
})

test('a sealed secret that cannot be one is refused', () => {
  for (const secret of ['short', 'with a blank in it', 'x'.repeat(201), 'ünïcode-ünïcode-ünï', 'a-line-that-ends-here\n']) {
    expect(() => unsealed(sealed(secret, keys.publicKey), keys.privateKey)).toThrow(/secret: must have/)
  }
})
