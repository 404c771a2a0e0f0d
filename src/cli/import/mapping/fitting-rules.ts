import type { IgnoredRows } from './ignored-rows.ts'
import { columnOfPath } from './path.ts'
import { columnsOf, type Rule } from './rule.ts'
import type { Layout } from '../source/source-file.ts'

/**
 * The rules that may give a value in a file with these columns; rules that are not optional always count. The first records of
 * JSON may lack keys that later ones have, so where records may be ignored only the field that decides it needs a column.
 */
export function fittingRules(
  rules: readonly Rule[],
  { layout }: { layout: Layout },
  columns: ReadonlySet<string>,
  ignored: IgnoredRows | undefined,
): Rule[] {
  const isThere = (column: string) => columns.has(column) || columns.has(columnOfPath(column))
  const mayComeLater = ({ target }: Rule) => layout.is !== 'csv' && ignored !== undefined && target !== ignored.without
  return rules.filter((rule) => {
    if (rule.isOptional !== true || mayComeLater(rule)) return true
    if ('columns' in rule.source) return rule.source.columns.some(isThere)
    return columnsOf(rule).some(isThere) || rule.conditions.every(({ holds }) => holds(''))
  })
}
