import { expect, test } from 'vitest'
import { invalidRequest } from '../../src/admission/invalid-request.ts'
import { PaymentCallback } from '../../src/contract/payment.ts'

test('a request with thousands of wrong fields is answered with the first 100', () => {
  const { error } = PaymentCallback.safeParse({ items: Array(1_000).fill({ product_id: '', quantity: 'x', unit_price: 'y' }) })
  expect(error!.issues.length).toBeGreaterThan(2_000)
  const { message, details } = invalidRequest(error!.issues)
  expect(details).toHaveLength(100)
  expect(message).toMatch(/^provider: /)
})
