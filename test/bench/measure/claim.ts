import { printTable } from './table.ts'

/** One number that a row measures: a line of the table in docs/benchmarks.md. */
export interface Claim {
  what: string
  measured: number
  unit?: string
  target?: { min: number } | { max: number }
  /** The numbers behind it. */
  detail: string
}

export interface RowResult {
  claims: Claim[]
  /** The measurements that the claims summarize. */
  measured: object
}

/** Whether the number meets its target; undefined without a target. */
export function isMet({ measured, target }: Claim): boolean | undefined {
  if (target === undefined) return undefined
  return 'min' in target ? measured >= target.min : measured <= target.max
}

export function measuredText({ measured, unit }: Claim): string {
  return withUnit(formatted(measured), unit)
}

export function targetText({ target, unit }: Claim): string {
  if (target === undefined) return ''
  return 'min' in target ? `≥ ${withUnit(formatted(target.min), unit)}` : `≤ ${withUnit(formatted(target.max), unit)}`
}

export function printClaims(row: string, claims: readonly Claim[]): void {
  const verdict = (claim: Claim) => ({ true: 'met', false: 'MISSED', undefined: '' })[String(isMet(claim))]!
  printTable(
    [row, 'measured', 'target', '', 'of'],
    claims.map((claim) => [claim.what, measuredText(claim), targetText(claim), verdict(claim), claim.detail]),
  )
}

/** Three significant digits, because runs on two cores are not more precise. */
export function formatted(value: number): string {
  if (!Number.isFinite(value)) return '—'
  const rounded = Number(value.toPrecision(Math.abs(value) >= 100 ? Math.ceil(Math.log10(Math.abs(value) + 1)) : 3))
  return rounded.toLocaleString('en', { maximumFractionDigits: 4 })
}

function withUnit(text: string, unit: string | undefined): string {
  return unit === undefined ? text : `${text} ${unit}`
}
