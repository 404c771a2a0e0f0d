import { expect, test } from 'vitest'
import { DAY_MS } from '../../src/contract/fields/time.ts'
import { createSequenceCollector, filtered, withoutBots, withoutRepeats } from '../../src/ranking/evaluation/sequences.ts'
import { createRandom, sampleOf } from '../../src/ranking/evaluation/random.ts'

test('events are in the order of time, and products in the order of their bytes', () => {
  const collector = createSequenceCollector(2)
  collector.add(0, 'a', 'b', 3)
  collector.add(0, 'c', '10', 1)
  collector.add(0, 'a', '9', 2)
  collector.add(0, 'a', '😀', 2)
  collector.add(1, 'c', '\uFFFD', 9)
  const { parts, products } = collector.finish()
  // UTF-16, the order of JavaScript, has the emoji before U+FFFD.
  expect(products).toEqual(['10', '9', 'b', '\uFFFD', '😀'])
  expect(parts.map(({ start, product, time }) => ({ start: [...start], product: [...product], time: [...time!] }))).toEqual([
    { start: [0, 3, 4], product: [1, 4, 2, 0], time: [2, 2, 3, 1] },
    { start: [0, 0, 1], product: [3], time: [9] },
  ])
})

test('repeats in a row become the newest event', () => {
  const collector = createSequenceCollector(1)
  for (const [at, product] of ['x', 'x', 'y', 'x', 'x'].entries()) collector.add(0, 'a', product, at)
  collector.add(0, 'b', 'x', 0)
  const { product, time, start } = withoutRepeats(collector.finish().parts[0]!)
  expect([[...product], [...time!], [...start]]).toEqual([
    [0, 1, 0, 0],
    [1, 2, 4, 0],
    [0, 3, 4],
  ])
})

test('a filter keeps the shoppers of whom nothing is left', () => {
  const collector = createSequenceCollector(1)
  for (const shopper of ['a', 'b', 'c']) collector.add(0, shopper, shopper)
  const { start, product, shoppers } = filtered(collector.finish().parts[0]!, (_, shopper) => shopper !== 1)
  expect([shoppers, [...start], [...product]]).toEqual([3, [0, 1, 1, 2], [0, 2]])
})

test('a sample has different numbers, the same for the same seed, and every number as often', () => {
  const counts = new Array<number>(10).fill(0)
  for (let seed = 0; seed < 2_000; seed++) {
    const sample = sampleOf(10, 3, createRandom(seed))
    expect(new Set(sample).size).toBe(3)
    expect(sampleOf(10, 3, createRandom(seed))).toEqual(sample)
    for (const number of sample) counts[number]! += 1
  }
  expect(Math.min(...counts)).toBeGreaterThan(500)
  expect(Math.max(...counts)).toBeLessThan(700)
})

test('a shopper with more events on one day is left out', () => {
  const collector = createSequenceCollector(1)
  for (let event = 0; event < 4; event++) {
    collector.add(0, 'bot', 'x', DAY_MS + (event === 0 ? -1 : event))
    collector.add(0, 'busy', 'y', event < 2 ? event : DAY_MS + event)
  }
  const [sequences] = collector.finish().parts
  expect([...withoutBots(sequences!, 2).product]).toEqual([1, 1, 1, 1])
  expect(withoutBots(sequences!, 3).product.length).toBe(8)
})
