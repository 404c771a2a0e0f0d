import { existsSync, globSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { BLOCKS, NOT_RUN, PAGES, readPage } from '../harness/programs/docs.ts'

const CHECKOUT = join(import.meta.dirname, '..', '..')
const TEXTS = [...PAGES, 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md']

test('the index of the README has every page of docs', () => {
  expect(PAGES.slice(1).toSorted()).toEqual(globSync('docs/**/*.md', { cwd: CHECKOUT }).toSorted())
})

test('every fence is part of a block, and every block that is not run exists', () => {
  for (const page of PAGES) {
    const fences = (readPage(page).match(/^ *(```|~~~)/gm) ?? []).length
    expect({ page, fences }).toEqual({ page, fences: 2 * BLOCKS.filter((block) => block.page === page).length })
  }
  expect(NOT_RUN.filter((rule) => !BLOCKS.some(rule.isFor))).toEqual([])
})

test('every link leads to a file, and to a heading of it', () => {
  const dead = TEXTS.flatMap((page) => {
    const prose = readPage(page).replaceAll(/^```.*?^```$/gms, '')
    const links = [...prose.matchAll(/\]\((?!https?:)([^)]+)\)/g)].map(([, link]) => link!)
    return links.filter((link) => !leadsSomewhere(page, link)).map((link) => `${page}: ${link}`)
  })
  expect(dead).toEqual([])
})

/** Rooms that ARCHITECTURE.md plans for technologies that are not here yet. */
const PLANNED = ['src/workers', 'src/external', 'src/page', 'src/consumer']

/** Paths from the root of the checkout in backticks. A placeholder like <noun> stands for any name. */
const PATH = /`((?:src|services|test|sql|ops|docs)\/[\w./<>-]*)`/g

test('every path in a page exists', () => {
  const exists = (path: string) => globSync(path.replaceAll(/<\w+>/g, '*'), { cwd: CHECKOUT }).length > 0
  const missing = TEXTS.flatMap((page) => {
    const paths = [...readPage(page).matchAll(PATH)].map(([, path]) => path!)
    return paths.filter((path) => !exists(path) && !PLANNED.includes(path)).map((path) => `${page}: ${path}`)
  })
  expect(missing).toEqual([])
})

/** In prose, e.g. `stalled`, `large` behind "bench rows"; and in the table of the benchmarks. */
const BENCH_ROWS = /\b(?:bench rows?|the row) ((?:`[\w-]+`(?:, | and )?)+)|^\| (`[\w-]+`) /gm

test('every row of the bench that a page names exists', () => {
  const rows = globSync('test/bench/rows/*.bench.ts', { cwd: CHECKOUT }).map((file) => basename(file, '.bench.ts'))
  const named = TEXTS.flatMap((page) => {
    const isBenchmarks = page === 'docs/benchmarks.md'
    const found = [...readPage(page).matchAll(BENCH_ROWS)].map(([, prose, cell]) => prose ?? (isBenchmarks ? cell! : ''))
    return found.flatMap((text) => [...text.matchAll(/`([^`]+)`/g)]).map(([, row]) => ({ page, row: row! }))
  })
  expect(named).toContainEqual({ page: 'SECURITY.md', row: 'fair' })
  expect(named).toContainEqual({ page: 'docs/benchmarks.md', row: 'ingest' })
  expect(named.filter(({ row }) => !rows.includes(row))).toEqual([])
})

function leadsSomewhere(page: string, link: string): boolean {
  const [path = '', anchor] = link.split('#')
  const target = path === '' ? page : join(dirname(page), path)
  if (!existsSync(join(CHECKOUT, target))) return false
  return anchor === undefined || anchorsOf(readPage(target)).has(anchor)
}

/** The anchors that GitHub gives to headings. */
function anchorsOf(markdown: string): Set<string> {
  const headings = [...markdown.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading!.toLowerCase())
  return new Set(headings.map((heading) => heading.replaceAll(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-')))
}
