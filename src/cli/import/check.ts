import type { ItemKind } from './item-kind.ts'
import { columnsOf, type Rule } from './rule.ts'
import { columnsIn, type SourceFile } from './source-file.ts'
import { StartError } from '../../main/config/start-error.ts'

const HEALTH_MS_MAX = 5_000

/** Compares the rules with the first rows of every file. @returns all columns found. @throws StartError */
export async function checkRules(
  files: readonly SourceFile[],
  { rules, kind, mayMissColumns }: { rules: readonly Rule[]; kind: ItemKind; mayMissColumns: boolean },
): Promise<Set<string>> {
  const all = new Set<string>()
  for (const file of files) {
    const columns = await columnsIn(file)
    if (columns === undefined) continue
    if (!mayMissColumns) {
      checkColumns(file, rules, columns)
      checkNeeds(file, rules, columns, kind)
    }
    for (const column of columns) all.add(column)
  }
  return all
}

/**
 * Finds a misspelt column before the first row is sent. It would be read as empty, and a second import with the right name would
 * change nothing, because each row keeps its event id.
 */
function checkColumns(file: SourceFile, rules: readonly Rule[], columns: ReadonlySet<string>): void {
  for (const rule of rules) {
    const missing = columnsOf(rule).find((column) => !columns.has(column))
    if (missing !== undefined) {
      throw new StartError(
        `${rule.text}: ${file.path} has no column ${JSON.stringify(missing)} (--allow-missing reads it as empty); it has ${shown(columns)}.`,
      )
    }
  }
}

function checkNeeds(file: SourceFile, rules: readonly Rule[], columns: ReadonlySet<string>, kind: ItemKind): void {
  const mapped = rules.some((rule) => 'column' in rule.source)
  const targets = new Set(rules.map((rule) => rule.target))
  const isGiven = (field: string) => targets.has(field) || (columns.has(field) && (!mapped || field in kind.named))
  const missing = kind.needed.find((fields) => !fields.some(isGiven))
  if (missing === undefined) return
  throw new StartError(
    `Nothing gives ${missing.join(' or ')} for ${file.path}: add --map ${missing[0]}=COLUMN or --set ${missing[0]}=VALUE; its columns are ${shown(columns)}.`,
  )
}

function shown(columns: ReadonlySet<string>): string {
  return Array.from(columns, (column) => JSON.stringify(column)).join(', ')
}

/** @throws StartError when no Restate answers. */
export async function checkIngress(ingressUrl: string): Promise<void> {
  if (!URL.canParse(ingressUrl)) throw new StartError(`${ingressUrl} is not an address of Restate: write http://127.0.0.1:8080.`)
  const url = new URL('restate/health', ingressUrl.endsWith('/') ? ingressUrl : `${ingressUrl}/`)
  const answer = await fetch(url, { signal: AbortSignal.timeout(HEALTH_MS_MAX) }).catch(() => undefined)
  if (answer?.ok) return
  throw new StartError(`Restate does not answer at ${ingressUrl}: run npm start first, or set RESTATE_INGRESS_URL.`)
}
