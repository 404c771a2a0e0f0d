import fc from 'fast-check'
import { expect, test } from 'vitest'
import { barOn, progressOn } from '../../src/cli/import/progress.ts'
import { frameOf, percentOf, progressBarOn } from '../../src/cli/terminal/progress-bar.ts'
import { widthOf } from '../../src/cli/terminal/cells.ts'

/** A terminal of some columns that keeps what is written. */
function terminal(columns: number | undefined) {
  const written: string[] = []
  const write = (text: string) => written.push(text) > 0
  return { stream: { write, columns } as NodeJS.WriteStream, written, framesOf: () => written.map((text) => text.slice(1)) }
}

const position = (bytes: number, rows = bytes) => ({ bytes, bytesTotal: 1_000_000, rows })

test('no frame is wider than the terminal, or has a character that moves the cursor, whatever it says', () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 200 })
  const share = fc.double({ min: -1, max: 2 })
  fc.assert(
    fc.property(share, text, fc.integer({ min: 1, max: 200 }), (done, words, columns) => {
      const frame = frameOf(done, words, columns)
      expect(widthOf(frame)).toBeLessThanOrEqual(Math.max(1, columns - 1))
      expect(frame).not.toMatch(/\p{Cc}/u)
    }),
  )
})

test.each([
  [80, '[##########--------------------]  35 %  12,000 rows'],
  [40, '[######------------]  35 %  12,000 rows'],
  [30, '35 %  12,000 rows'],
  [12, '35 %  12,0…'],
])('%i columns get a frame that fits', (columns, frame) => {
  expect(frameOf(0.35, '12,000 rows', columns)).toBe(frame)
})

test('the percentage is rounded down, and stays in its bounds', () => {
  expect([0, 0.349, 0.9999, 1, 1.5, -1, Number.NaN].map(percentOf)).toEqual([
    '0 %',
    '34 %',
    '99 %',
    '100 %',
    '100 %',
    '0 %',
    '0 %',
  ])
})

test('a frame covers the one before, and the end leaves an empty line', () => {
  const { stream, written } = terminal(40)
  const bar = progressBarOn(stream)
  bar.draw(0.5, 'a long text')
  bar.draw(0.5, 'short')
  expect(widthOf(written[1]!)).toBe(widthOf(written[0]!))
  bar.clear()
  expect(written.at(-2)!.trim()).toBe('')
  expect(written.at(-1)).toBe('\r')
  bar.clear()
  expect(written).toHaveLength(4)
})

test('a terminal that does not say its width gets 80 columns, and a narrower one gets what fits', () => {
  for (const columns of [undefined, 0, 20]) {
    const { stream, framesOf } = terminal(columns)
    const bar = barOn(stream)
    bar.report(position(350_000, 123_456_789))
    bar.stalled(`Restate at http://${'long'.repeat(30)}: it answered 503`)
    bar.stop()
    for (const frame of framesOf()) expect(widthOf(frame)).toBeLessThan(columns || 80)
    expect(framesOf()[0]).toContain('35 %')
  }
})

test('a bar has at most ten frames a second, and a reason to wait is always shown', () => {
  const { stream, framesOf } = terminal(80)
  let now = 0
  const bar = barOn(stream, () => now)
  for (; now < 1_000; now += 10) bar.report(position(now))
  expect(framesOf()).toHaveLength(10)
  bar.stalled('Restate does not answer')
  expect(framesOf().at(-1)).toContain('Trying again: Restate does not answer')
})

test('counting equal rows shows the part of the file that is read', () => {
  const { stream, framesOf } = terminal(80)
  const bar = barOn(stream)
  bar.counting({ bytes: 350_000, bytesTotal: 1_000_000 })
  expect(framesOf()).toEqual(['[##########--------------------]  35 %  counting equal rows'])
})

test('a pipe gets lines without control characters', () => {
  const { stream, written } = terminal(undefined)
  const progress = progressOn(stream)
  progress.stalled('\u001B[2Jit answered 503\r\nand\u0007more')
  progress.report(position(1))
  progress.stop()
  expect(written).toEqual([String.raw`Trying again: \u001b[2Jit answered 503\r\nand\u0007more` + '\n'])
})
