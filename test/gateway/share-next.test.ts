import { expect, test } from 'vitest'
import { shareNext } from '../../src/gateway/caching/share-next.ts'

/** Reads that end when the test ends them. */
function reads() {
  const begun: { question: string; end: PromiseWithResolvers<string> }[] = []
  const ask = shareNext(
    (question: string) => {
      const end = Promise.withResolvers<string>()
      begun.push({ question, end })
      return end.promise
    },
    (question) => question,
  )
  return { begun, ask }
}

test('callers that come during a read share the next one', async () => {
  const { begun, ask } = reads()
  const first = ask('a')
  const later = [ask('a'), ask('a'), ask('a')]
  expect(begun).toHaveLength(1)
  begun[0]!.end.resolve('old')
  expect(await first).toBe('old')
  const last = ask('a')
  expect(begun).toHaveLength(2)
  begun[1]!.end.resolve('new')
  expect(await Promise.all(later)).toEqual(['new', 'new', 'new'])
  // The last caller came after the start of the second read.
  expect(begun).toHaveLength(3)
  begun[2]!.end.resolve('newest')
  expect(await last).toBe('newest')
})

test('different questions are read concurrently', () => {
  const { begun, ask } = reads()
  void ask('a')
  void ask('b')
  expect(begun.map(({ question }) => question)).toEqual(['a', 'b'])
})

test('a failed read fails only the callers that waited for it', async () => {
  const { begun, ask } = reads()
  const first = ask('a')
  const second = ask('a')
  begun[0]!.end.reject(new Error('away'))
  await expect(first).rejects.toThrow('away')
  begun[1]!.end.resolve('back')
  expect(await second).toBe('back')
})

test('an answer is not kept after its read', async () => {
  const { begun, ask } = reads()
  const first = ask('a')
  begun[0]!.end.resolve('old')
  expect(await first).toBe('old')
  const second = ask('a')
  begun[1]!.end.resolve('new')
  expect(await second).toBe('new')
})
