import { expect, test } from 'vitest'
import { inChunks } from '../../src/gateway/shoppers/export-chunks.ts'

const textOf = async (chunks: AsyncIterable<string>) => {
  const all: string[] = []
  for await (const chunk of chunks) all.push(chunk)
  return all
}

function chunksOf(rows: AsyncGenerator<string>, silentMsMax?: number) {
  return inChunks(rows, rows.next(), silentMsMax)
}

test('lines are gathered, and each ends with a line feed', async () => {
  const lines = Array.from({ length: 3_000 }, (_each, n) => JSON.stringify({ n, text: 'x'.repeat(60) }))
  const rows = async function* () {
    yield* lines
  }
  const chunks = await textOf(chunksOf(rows()))
  expect(chunks.join('')).toBe(`${lines.join('\n')}\n`)
  expect(chunks.length).toBeLessThan(6)
})

test('no line is no text', async () => {
  const rows = async function* (): AsyncGenerator<string> {
    yield* []
  }
  expect(await textOf(chunksOf(rows()))).toEqual([])
})

test('a line that is there is sent before the next one comes, and blanks keep the connection', async () => {
  const later = Promise.withResolvers<void>()
  const rows = async function* () {
    yield '{"n":1}'
    await later.promise
    yield '{"n":2}'
  }
  const chunks = chunksOf(rows(), 1)
  expect((await chunks.next()).value).toBe('{"n":1}')
  expect((await chunks.next()).value).toBe(' ')
  later.resolve()
  const rest = await textOf(chunks)
  expect(rest.join('').trim()).toBe('{"n":2}')
  expect(rest.at(-1)).toMatch(/\n$/)
})

test('before the first line, an empty line begins the answer', async () => {
  const never = Promise.withResolvers<void>()
  const rows = async function* () {
    await never.promise
    yield '{"n":1}'
  }
  const chunks = chunksOf(rows(), 1)
  expect((await chunks.next()).value).toBe('\n')
  never.reject(new Error('the database is away'))
  const failure = textOf(chunks)
  await expect(failure).rejects.toThrow('the database is away')
})

test('a reader that hangs up ends the rows', async () => {
  let hasEnded = false
  const rows = async function* () {
    try {
      for (;;) yield 'x'.repeat(70_000)
    } finally {
      hasEnded = true
    }
  }
  const chunks = chunksOf(rows())
  await chunks.next()
  await chunks.return(undefined)
  await Promise.resolve()
  expect(hasEnded).toBe(true)
})
