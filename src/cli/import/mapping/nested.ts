import { isDeepStrictEqual } from 'node:util'
import { isPath, parsedText, type Path, pathOf, walk } from './path.ts'
import { columnsOf, type Rule } from './rule.ts'
import type { Row } from '../source/row.ts'
import { UsageError } from '../../../main/config/start-error.ts'

/** Makes rows with a column for each path that rules name; a row for each element of the list in the paths. */
export type Expand = (row: Row) => readonly Row[]

/** Undefined when no rule names a path. @throws UsageError when rules name two lists. */
export function expanderOf(rules: readonly Rule[]): Expand | undefined {
  const paths = [...new Set(rules.flatMap(columnsOf))].filter(isPath).map(pathOf)
  if (paths.length === 0) return undefined
  const longest = paths.reduce((one, other) => (other.parts.length > one.parts.length ? other : one))
  const lists = longest.parts.slice(0, -1)
  for (const path of paths) checkList(path, longest)
  const names = paths.map(({ name }) => name)
  return (row) => {
    const missing = names.filter((name) => !row.columns.includes(name))
    if (missing.length === 0) return [row]
    const columns = [...row.columns, ...names]
    const scopes = scopesOf(row, lists)
    return scopes.map((scope, element) => ({
      line: row.line,
      columns,
      cells: [...row.cells, ...paths.map((path) => valueAt(scope, path, row))],
      record: row.record ?? row,
      ...(lists.length > 0 && { element }),
    }))
  }
}

function checkList(path: Path, longest: Path): void {
  const isInside = path.parts.slice(0, -1).every((part, index) => isDeepStrictEqual(part, longest.parts[index]))
  if (isInside) return
  throw new UsageError(
    `${longest.name} and ${path.name} are in two lists: an import makes items of the elements of one list, so import each list by itself.`,
  )
}

/** For each element of the innermost list: the record, and the elements from the outermost list inwards. */
function scopesOf(row: Row, lists: Path['parts']): unknown[][] {
  let scopes: unknown[][] = [[row]]
  for (const steps of lists) {
    scopes = scopes.flatMap((scope) => {
      const found = walk(scope.at(-1), steps, row)
      const list = typeof found === 'string' ? parsedText(found) : found
      const elements = Array.isArray(list) ? list : [list]
      return (elements.length === 0 ? [undefined] : elements).map((element) => [...scope, element])
    })
  }
  return scopes
}

function valueAt(scope: readonly unknown[], { parts }: Path, row: Row): unknown {
  return walk(scope[parts.length - 1], parts.at(-1)!, row)
}
