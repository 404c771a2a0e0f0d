import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { importCommand } from '../../../src/cli/commands/import.ts'
import { isRowRejection } from '../../../src/cli/import/mapping/mapping.ts'
import type { Item } from '../../../src/cli/import/mapping/item-kind.ts'
import { type ImportPlan, prepareImport } from '../../../src/cli/import/plan.ts'
import { rowsToImport } from '../../../src/cli/import/rows-to-import.ts'
import { readAs } from '../../../src/contract/fields/read-as.ts'
import { Interaction } from '../../../src/contract/interaction.ts'
import { Product } from '../../../src/contract/product.ts'

/** What an import would send, and what it would refuse. */
export interface MappedFile {
  /** The items that the receiver would accept, in the order of the file; each once. */
  items: Item[]
  duplicates: number
  refused: { line: number; field: string | null; reason: string }[]
  /** What a preset left out, in a sentence. */
  ignored: string | undefined
  /** How the file is read, in a sentence. */
  reading: string
  warnings: string[]
}

/** Reads a file with the options of `footfall import`, without sending its items. */
export async function mapFile(name: string, content: string | Uint8Array, options: readonly string[] = []): Promise<MappedFile> {
  const folder = await mkdtemp(join(tmpdir(), 'footfall-mapped-'))
  try {
    const path = join(folder, name)
    await writeFile(path, content)
    return await mapPlan(await planOf([path, ...options]))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function planOf(args: string[]): Promise<ImportPlan> {
  let plan: ImportPlan | undefined
  const command = importCommand(async (given) => void (plan = given))
  await command
    .exitOverride()
    .configureOutput({ writeErr: () => undefined })
    .parseAsync(args, { from: 'user' })
  return plan!
}

async function mapPlan(plan: ImportPlan): Promise<MappedFile> {
  const mapped: MappedFile = { items: [], duplicates: 0, refused: [], ignored: undefined, reading: '', warnings: [] }
  const onReading = (sentence: string) => {
    if (sentence.includes(' is read as ')) mapped.reading = sentence.replace(/^.*?(?= is read as)/, 'it')
  }
  const { files, mapRecord } = await prepareImport({ ...plan, onReading })
  const schema = plan.kind.fields.includes('product_id') ? Product : Interaction
  const ids = new Set<unknown>()
  for await (const { rows } of rowsToImport(files[0]!, { ...plan, onReading })) {
    for (const { row, mapped: item } of rows.flatMap((row) => mapRecord(row, files[0]!))) {
      const wrong = isRowRejection(item) ? item : wrongFieldOf(schema.safeParse(readAs(schema, item)).error?.issues[0])
      const id = isRowRejection(item) ? undefined : (item['event_id'] ?? item['event_key'])
      if (wrong !== undefined) mapped.refused.push({ line: row.line, ...wrong })
      else if (id !== undefined && ids.has(id)) mapped.duplicates++
      else mapped.items.push(item as Item)
      ids.add(id)
    }
  }
  return { ...mapped, ignored: plan.ignored?.line(), warnings: plan.observed?.warnings() ?? [] }
}

function wrongFieldOf(issue: { path: PropertyKey[]; message: string } | undefined) {
  return issue === undefined ? undefined : { field: String(issue.path[0]), reason: issue.message }
}
