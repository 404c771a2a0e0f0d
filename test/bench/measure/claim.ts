import { median } from './rounds.ts'
import { printTable } from './table.ts'

/** The numbers of single rounds: the least and the most. */
export interface Spread {
  least: number
  most: number
}

/** One number that a row measures: a line of the table in docs/benchmarks.md. */
export interface Claim {
  what: string
  measured: number
  unit?: string
  target?: { min: number } | { max: number }
  /** The numbers behind it. */
  detail: string
  /** Of its rounds, where it has several. */
  spread?: Spread
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

/** @param movedText What is said about a number that moved. */
export function printClaims(
  row: string,
  claims: readonly Claim[],
  movedText: (claim: Claim, place: number) => string | undefined,
): void {
  const verdict = (claim: Claim) => ({ true: 'met', false: 'MISSED', undefined: '' })[String(isMet(claim))]!
  printTable(
    [row, 'measured', 'target', '', 'committed', 'of'],
    claims.map((claim, place) => [
      ...[claim.what, measuredText(claim), targetText(claim), verdict(claim)],
      ...[movedText(claim, place) ?? '', claim.detail],
    ]),
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

/** What all rounds together claim, each number with the spread of what every round alone would claim. */
export function claimsOfRounds<Runs extends Record<string, readonly unknown[]>>(
  runs: Runs,
  claimsOf: (runs: Runs) => Claim[],
): Claim[] {
  const rounds = Math.min(...Object.values(runs).map((all) => all.length))
  const alone = Array.from({ length: rounds }, (_, round) => claimsOf(roundOf(runs, round)))
  return claimsOf(runs).map((claim, place) => {
    const numbers = alone.map((claims) => claims[place]!.measured)
    return rounds < 2 ? claim : { ...claim, spread: spreadOf(numbers) }
  })
}

/** The median of the numbers of single rounds, and their spread. */
export function overRounds(numbers: readonly number[]): Pick<Claim, 'measured' | 'spread'> {
  return { measured: median(numbers), ...(numbers.length > 1 && { spread: spreadOf(numbers) }) }
}

function spreadOf(numbers: readonly number[]): Spread {
  return { least: Math.min(...numbers), most: Math.max(...numbers) }
}

function roundOf<Runs extends Record<string, readonly unknown[]>>(runs: Runs, round: number): Runs {
  return Object.fromEntries(Object.entries(runs).map(([name, all]) => [name, [all[round]]])) as unknown as Runs
}
