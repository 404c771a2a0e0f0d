import { isBroken, type Row } from './row.ts'
import { rowsOf, type SourceFile } from './source-file.ts'

/** The names that rules may use for the values of a file. */
export interface Columns {
  /** The columns of CSV, or the keys of JSON objects. */
  names: ReadonlySet<string>
  /** Paths to values inside of JSON objects, e.g. `products[].sku`. */
  paths: ReadonlySet<string>
}

const SAMPLE_ROWS = 1_000
const PATHS_MAX = 10_000
const LEVELS_MAX = 8

/** The columns of the first rows; undefined when there is no row. Reads at most 1,000 rows and the chunk around them. @throws StartError */
export async function columnsIn(file: SourceFile): Promise<Columns | undefined> {
  const names = new Set<string>()
  const paths = new Set<string>()
  let count = 0
  for await (const { rows } of rowsOf(file)) {
    for (const row of rows) if (!isBroken(row)) addNames(row, names, paths)
    count += rows.length
    if (count >= SAMPLE_ROWS || (file.layout.is === 'csv' && names.size > 0)) break
  }
  return names.size > 0 ? { names, paths } : undefined
}

function addNames({ columns, cells }: Row, names: Set<string>, paths: Set<string>): void {
  columns.forEach((column, index) => {
    names.add(column)
    addPaths(cells[index], column, paths, LEVELS_MAX)
  })
}

function addPaths(value: unknown, path: string, paths: Set<string>, levels: number): void {
  if (typeof value !== 'object' || value === null || levels === 0 || paths.size >= PATHS_MAX) return
  const entries = Array.isArray(value) ? value.map((inner) => ['[]', inner] as const) : Object.entries(value)
  for (const [key, inner] of entries) {
    const innerPath = key === '[]' ? `${path}[]` : `${path}.${key}`
    paths.add(innerPath)
    addPaths(inner, innerPath, paths, levels - 1)
  }
}
