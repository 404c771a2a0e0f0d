import fc from 'fast-check'
import { expect, test } from 'vitest'
import { judgeInteractions } from '../../src/admission/interaction.ts'
import { judgeInSlices } from '../../src/admission/judge-in-slices.ts'

const NOW_MS = Date.UTC(2026, 0, 1)
const VALID = { session_id: 's', event_type: 'view', ref_type: 'Product', ref_id: 'p' }
const idOf = (index: number) => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`

test('a call that is judged in slices has the outcome of the whole call, by the positions in it', async () => {
  const invalid = fc.array(fc.nat(1_299), { maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(fc.nat(1_300), invalid, async (count, wrong) => {
      const items = Array.from({ length: count }, (_, index) => (wrong.includes(index) ? { nonsense: index } : VALID))
      const inSlices = await judgeInSlices(items, (slice, start) =>
        judgeInteractions(slice, NOW_MS, (index) => idOf(start + index)),
      )
      expect(inSlices).toEqual(judgeInteractions(items, NOW_MS, idOf))
    }),
    {
      numRuns: 20,
      examples: [
        [250, [249]],
        [251, [250]],
      ],
    },
  )
})

test('other work goes on between the slices of a large call', async () => {
  const items = Array.from({ length: 1_000 }, () => VALID)
  let others = 0
  let isOver = false
  const other = () => {
    others++
    if (!isOver) setImmediate(other)
  }
  setImmediate(other)
  await judgeInSlices(items, (slice) => judgeInteractions(slice, NOW_MS, idOf))
  isOver = true
  expect(others).toBeGreaterThanOrEqual(3)
})
