import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { type Claim, isMet, measuredText, type RowResult, targetText } from './claim.ts'
import type { Machine } from './machine.ts'

const CHECKOUT = join(import.meta.dirname, '..', '..', '..')
const FOLDER = join(CHECKOUT, 'bench-results')
const PAGE = join(CHECKOUT, 'docs', 'benchmarks.md')
const [BEGIN, END] = ['<!-- bench -->', '<!-- /bench -->']

export interface SavedRow {
  row: string
  at: string
  isQuick: boolean
  machine: Machine
  result: RowResult
}

/** Writes a row's last run; a quick run gets a file of its own. @returns the file. */
export async function saveRow(saved: SavedRow): Promise<string> {
  await mkdir(FOLDER, { recursive: true })
  const file = join(FOLDER, `${saved.row}${saved.isQuick ? '.quick' : ''}.json`)
  await writeFile(file, `${JSON.stringify(saved, null, 2)}\n`)
  return file
}

/** Writes the last full run of every row into docs/benchmarks.md. A row that has not run on this machine keeps its lines. */
export async function writePage(rows: readonly string[]): Promise<void> {
  const page = await readFile(PAGE, 'utf8')
  const [before, rest = ''] = page.split(BEGIN)
  const [old = '', after] = rest.split(END)
  if (before === undefined || after === undefined) throw new Error(`docs/benchmarks.md has no ${BEGIN} … ${END}`)
  const saved = (await Promise.all(rows.map(readRow))).filter((row) => row !== undefined)
  const table = render(rows, saved, old)
  const options = await resolveConfig(PAGE)
  await writeFile(PAGE, await format(`${before}${BEGIN}\n\n${table}\n\n${END}${after}`, { ...options, parser: 'markdown' }))
}

async function readRow(row: string): Promise<SavedRow | undefined> {
  try {
    return JSON.parse(await readFile(join(FOLDER, `${row}.json`), 'utf8')) as SavedRow
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

const HEAD = ['| row | what | measured | target | of |', '| --- | --- | --- | --- | --- |']

/** The machine of the newest run, and the table. */
export function render(rows: readonly string[], saved: readonly SavedRow[], old: string): string {
  const oldLines = old.split('\n').filter((line) => line.startsWith('| `'))
  const lines = rows.flatMap((name) => {
    const row = saved.find((candidate) => candidate.row === name)
    return row ? row.result.claims.map((claim) => lineOf(name, claim)) : oldLines.filter((line) => nameOf(line) === name)
  })
  const newest = saved.toSorted((one, other) => one.at.localeCompare(other.at)).at(-1)
  const oldMachine = old.split('\n').find((line) => line.startsWith(MACHINE)) ?? ''
  return [newest ? machineLine(newest) : oldMachine, '', ...HEAD, ...lines].join('\n')
}

function lineOf(row: string, claim: Claim): string {
  const target = isMet(claim) === false ? `${targetText(claim)}: missed` : targetText(claim)
  return `| \`${row}\` | ${claim.what} | **${measuredText(claim)}** | ${target} | ${claim.detail} |`
}

function nameOf(line: string): string | undefined {
  return /^\| `([^`]+)`/.exec(line)?.[1]
}

const MACHINE = 'Machine of the last run:'

function machineLine({ at, machine }: SavedRow): string {
  const { cores, cpu, memoryGiB, kernel, node, postgresql, restate } = machine
  return `${MACHINE} ${cores} × ${cpu}, ${memoryGiB} GiB, ${kernel}, Node ${node}, PostgreSQL ${postgresql}, Restate ${restate} (${at.slice(0, 10)}).`
}
