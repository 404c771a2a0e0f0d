import fc from 'fast-check'
import { expect, test } from 'vitest'
import { lsnOf, lsnText } from '../../src/contract/fields/lsn.ts'
import { createLagMeter } from '../../src/gateway/standbys/lag-meter.ts'

test('what a standby shows is as old as the last time when the primary had no more than the standby has replayed', () => {
  const meter = createLagMeter()
  expect(meter.ageOf(100n, 0)).toBe(Infinity)
  meter.note(100n, 1_000)
  meter.note(200n, 1_250)
  meter.note(300n, 1_500)
  expect(meter.ageOf(99n, 1_600)).toBe(Infinity)
  expect(meter.ageOf(100n, 1_600)).toBe(600)
  expect(meter.ageOf(299n, 1_600)).toBe(350)
  expect(meter.ageOf(300n, 1_600)).toBe(100)
  expect(meter.hasAll(299n)).toBe(false)
  expect(meter.hasAll(300n)).toBe(true)
})

test('a standby of a primary that writes nothing does not grow older', () => {
  const meter = createLagMeter()
  for (let ms = 0; ms <= 60_000; ms += 250) meter.note(100n, ms)
  expect(meter.ageOf(100n, 60_100)).toBe(100)
})

test('a standby grows older while the primary cannot be asked', () => {
  const meter = createLagMeter()
  meter.note(100n, 1_000)
  expect(meter.ageOf(500n, 7_000)).toBe(6_000)
})

test('a primary whose log is shorter is another one, and what was known of the first one is forgotten', () => {
  const meter = createLagMeter()
  meter.note(500n, 1_000)
  meter.note(400n, 2_000)
  expect(meter.ageOf(399n, 2_100)).toBe(Infinity)
  expect(meter.ageOf(450n, 2_100)).toBe(100)
})

test('the age is never less than the true one', () => {
  const steps = fc.array(fc.record({ ms: fc.integer({ min: 1, max: 500 }), bytes: fc.integer({ min: 0, max: 3 }) }), {
    minLength: 1,
  })
  fc.assert(
    fc.property(steps, fc.integer({ min: 0, max: 200 }), (primary, replayed) => {
      const meter = createLagMeter()
      let [ms, lsn] = [0, 0]
      // The last instant at which the standby had everything.
      let completeMs = -Infinity
      for (const step of primary) {
        if (lsn <= replayed) completeMs = ms
        meter.note(BigInt(lsn), ms)
        ms += step.ms
        lsn += step.bytes
      }
      expect(meter.ageOf(BigInt(replayed), ms)).toBeGreaterThanOrEqual(ms - completeMs)
    }),
  )
})

test('positions are read and written as PostgreSQL does', () => {
  expect(lsnOf('0/16B3748')).toBe(0x16b3748n)
  expect(lsnOf('1a/0')).toBe(0x1a_0000_0000n)
  for (const text of ['', '16B3748', '0/', '/0', '0/123456789', '0/16B3748 ', '0/G', '-1/0']) expect(lsnOf(text)).toBeUndefined()
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (lsn) => lsnOf(lsnText(lsn)) === lsn))
})
