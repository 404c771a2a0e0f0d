import { existsSync, lstatSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { RejectedFile } from '../../src/cli/import/rejected-file.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'footfall-rejected-file-'))
  return () => rmSync(folder, { recursive: true, force: true })
})

const REJECTED = { row: { line: 2, columns: ['a'], cells: ['x'] }, field: 'ref_id', reason: 'is wrong' }

test('the rows of an earlier run are removed, and a file is there only when a row is rejected', () => {
  const path = join(folder, 'rejected.jsonl')
  writeFileSync(path, 'old')
  const file = new RejectedFile(path)
  expect(existsSync(path)).toBe(false)
  file.add('a.csv', [])
  expect(existsSync(path)).toBe(false)
  file.add('a.csv', [REJECTED])
  file.close()
  expect(readFileSync(path, 'utf8')).toBe('{"file":"a.csv","line":2,"reason":"is wrong","field":"ref_id","row":{"a":"x"}}\n')
})

test('a device is written to and never removed', () => {
  const path = join(folder, 'null')
  symlinkSync('/dev/null', path)
  const file = new RejectedFile(path)
  file.add('a.csv', [REJECTED])
  file.close()
  expect(lstatSync(path).isSymbolicLink()).toBe(true)
})
