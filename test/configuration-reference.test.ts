import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { expect, test } from 'vitest'
import { configurationReference } from '../src/main/reference/configuration.ts'

const FILE = join(import.meta.dirname, '..', 'docs', 'configuration.md')

test('docs/configuration.md is what npm run docs writes', async () => {
  const options = { ...(await resolveConfig(FILE)), parser: 'markdown' }
  expect(await readFile(FILE, 'utf8')).toBe(await format(configurationReference(), options))
})

test('every setting has a meaning', () => {
  const rows = configurationReference()
    .split('\n')
    .filter((line) => line.startsWith('| `'))
  expect(rows.length).toBeGreaterThan(20)
  for (const row of rows) expect(row.split(' | ')[1]!.length).toBeGreaterThan(15)
})
