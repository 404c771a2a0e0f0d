import { expect, test } from 'vitest'
import { addNotes, newNotes, noteLines } from '../../src/cli/import/notes.ts'
import { summaryOf } from '../../src/cli/import/summary.ts'

const NONE = { accepted: 0, duplicates: 0, duplicate_indexes: [], rejected: [] }

function notesOf(...answers: object[]) {
  const notes = newNotes()
  for (const answer of answers) addNotes(notes, { ...NONE, ...answer })
  return notes
}

test('event types without a weight are counted over all batches and files, the most frequent first', () => {
  const first = notesOf({ unweighted: [{ event_type: 'foo', indexes: [1] }] }, {})
  const second = notesOf(
    { unweighted: [{ event_type: 'quick_view', indexes: [0, 2] }] },
    { unweighted: [{ event_type: 'quick_view', indexes: [5] }] },
  )
  expect(noteLines([first, second])).toEqual([
    '4 rows have event types without a weight, which do not change scores: quick_view (3), foo (1).',
  ])
})

test('of many types ten are shown', () => {
  const unweighted = Array.from({ length: 12 }, (_, n) => ({ event_type: `t${n + 10}`, indexes: [n] }))
  expect(noteLines([notesOf({ unweighted })])[0]).toMatch(/: t10 \(1\), t11 \(1\), .*, t19 \(1\), and 2 more\.$/)
})

test('fields that were left out are counted', () => {
  const warnings = [0, 1].map((index) => ({ index, field: 'ip_address', message: '' }))
  expect(noteLines([notesOf({ warnings: [...warnings, { index: 2, field: 'user_agent', message: '' }] })])).toEqual([
    '2 rows are recorded without a wrong ip_address.',
    '1 row is recorded without a wrong user_agent.',
  ])
})

test('the summary names stale products and notes only where there are some', () => {
  const tally = {
    ...{ path: 'a.csv', rows: 3, accepted: 1, duplicates: 1, stale: 0, rejected: 1, seconds: 2, startedAt: 0, notes: newNotes() },
  }
  expect(summaryOf([tally], { seconds: 2, peakKiB: 2_048 })).toEqual([
    'a.csv: 3 rows, 1 accepted, 1 duplicates, 1 rejected, 2.0 s',
    'total: 3 rows, 1 accepted, 1 duplicates, 1 rejected, 2.0 s, 2 rows/s, peak memory 2 MiB',
  ])
  const [line] = summaryOf([{ ...tally, duplicates: 0, stale: 1 }], { seconds: 2, peakKiB: 2_048 })
  expect(line).toBe(
    'a.csv: 3 rows, 1 accepted, 0 duplicates, 1 stale (the catalog keeps another version of the same time), 1 rejected, 2.0 s',
  )
})

test('a file without rows is told from one whose rows are all left out', () => {
  const tally = {
    path: 'a.csv',
    rows: 0,
    accepted: 0,
    duplicates: 0,
    stale: 0,
    rejected: 0,
    seconds: 1,
    startedAt: 0,
    notes: newNotes(),
  }
  expect(summaryOf([tally], { seconds: 1, peakKiB: 1_024 })[2]).toMatch(/^No rows were found/)
  const leftOut = 'Left out by --preset ga4: 3 rows of other event types.'
  expect(summaryOf([tally], { seconds: 1, peakKiB: 1_024, leftOut }).slice(2)).toEqual([leftOut])
})

test('a column with ever new texts as the event type does not fill the memory', () => {
  const notes = newNotes()
  for (let n = 0; n < 3_000; n++) addNotes(notes, { ...NONE, unweighted: [{ event_type: `type_${n}`, indexes: [0] }] })
  expect(notes.unweighted.size).toBe(1_001)
  expect(noteLines([notes])[0]).toMatch(/^3000 rows have event types without a weight, .*: \(others\) \(2000\), type_0 \(1\), /)
})
