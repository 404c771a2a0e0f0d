import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { expect, test } from 'vitest'
import { PAGES } from '../../src/cli/reference/pages.ts'

const DOCS = join(import.meta.dirname, '..', '..', 'docs')

test.each(PAGES)('docs/$file is what npm run docs writes', async ({ file, render }) => {
  const path = join(DOCS, file)
  const options = { ...(await resolveConfig(path)), parser: 'markdown' }
  expect(await readFile(path, 'utf8')).toBe(await format(await render(), options))
})

test.each(PAGES)('every link inside docs/$file leads to a heading', async ({ file }) => {
  const text = await readFile(join(DOCS, file), 'utf8')
  const anchors = new Set([...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading!.toLowerCase().replaceAll(' ', '-')))
  const links = [...text.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor!)
  expect(links.filter((link) => !anchors.has(link))).toEqual([])
})
