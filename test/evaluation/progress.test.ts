import { expect, test } from 'vitest'
import { evaluationProgressOn } from '../../src/cli/evaluate/progress.ts'

function written(isTTY: boolean) {
  let text = ''
  let nowMs = 0
  const stream = { isTTY, columns: 100, write: (more: string) => void (text += more) }
  const progress = evaluationProgressOn(stream as unknown as NodeJS.WriteStream, () => nowMs)
  const report = (atMs: number, ...at: Parameters<typeof progress.report>) => {
    nowMs = atMs
    progress.report(...at)
  }
  return { progress, report, text: () => text }
}

test('a terminal has a bar that says what is done, and it is cleared at the end', () => {
  const { progress, report, text } = written(true)
  report(50, 'test', 1_000, 4_000)
  expect(text()).toBe('')
  report(150, 'test', 2_000, 4_000)
  expect(text()).toContain('50 %')
  expect(text()).toContain('test: 2,000 of 4,000')
  const before = text().length
  progress.stop()
  expect(text().length).toBeGreaterThan(before)
})

test('a file has a line every 10 s, and no bar', () => {
  const { progress, report, text } = written(false)
  report(9_999, 'validating ridge', 1, 4)
  report(10_000, 'validating ridge', 2, 4)
  report(15_000, 'validating ridge', 3, 4)
  report(20_000, 'reading the log', 5_000, Infinity)
  progress.stop()
  expect(text()).toMatch(/^ *50 ?%: validating ridge: 2 of 4\n *0 ?%: reading the log: 5,000\n$/)
})
