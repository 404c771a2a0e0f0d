import { expect, test } from 'vitest'
import { outcome } from '../../src/page/components/outcome.ts'
import { type Run, runsTable } from '../../src/page/components/runs.ts'
import { textOf } from '../../src/page/template/html.ts'
import { wordsOf } from '../harness/items/page-words.ts'

const NOW_MS = Date.parse('2026-03-01T12:00:00Z')
const RUNS: Run[] = [
  { id: 'a', status: 'running', progress: { done: 2, total: 8 }, requested_at: '2026-03-01T11:59:00Z' },
  {
    id: 'b',
    status: 'failed',
    progress: { done: 1, total: 8 },
    requested_at: '2026-03-01T10:00:00Z',
    error_message: 'out of <memory>',
  },
]
const shown = (canCancel: boolean, rows = RUNS) =>
  textOf(runsTable({ caption: 'Runs', rows, nowMs: NOW_MS, canCancel }, { head: 'Run', cell: ({ id }) => id, isHead: true }))

test('an open run shows its progress and can be cancelled, an ended one its outcome', () => {
  const text = shown(true)
  expect(text).toContain('<progress value="2" max="8" aria-label="2 of 8 parts are done"></progress>')
  expect(wordsOf(text)).toContain('b failed out of &lt;memory>')
  expect(text.match(/name="action" value="cancel"/g)).toHaveLength(1)
  expect(text).toContain('name="id" value="a"')
})

test('nothing can be cancelled without the right, or when no run is open', () => {
  expect(shown(false)).not.toContain('<form')
  expect(shown(true, RUNS.slice(1))).not.toContain('<form')
})

test('after a change only known words of the address become a sentence', () => {
  const sentences = { started: 'The run was started.' }
  expect(textOf(outcome('started', sentences))).toBe('<p class="notice" role="status">The run was started.</p>')
  for (const word of [undefined, '<b>', 'toString', '__proto__']) expect(textOf(outcome(word, sentences))).toBe('')
})
