import { addTo, type Counts } from './mapping/counts.ts'
import { mappingLines } from './mapping-lines.ts'
import { exitStatusOfRows } from './outcome.ts'
import { type ImportPlan, prepareImport } from './plan.ts'
import { type Preview, previewOf } from './preview.ts'
import { eventTypeLines, previewLines } from './preview-lines.ts'
import { readingOf } from './source/file-words.ts'
import { type GatewayAccess, weightsAt } from './weights.ts'

/** Shows what an import would do, from the first rows of each file. It sends and writes nothing. @throws StartError */
export async function dryRun(plan: ImportPlan, gateway: GatewayAccess): Promise<{ lines: string[]; status: number }> {
  const { files, mapping, columns, mapRecord } = await prepareImport({ ...plan, onReading: undefined })
  const previews: Preview[] = []
  const view = { kind: plan.kind, mapRecord, nowMs: Date.now(), reading: plan }
  for (const file of files) previews.push(await previewOf(file, view))
  const types: Counts = new Map()
  for (const { eventTypes } of previews) for (const [type, count] of eventTypes) addTo(types, type, count)
  const ignored = plan.ignored?.line()
  const lines = [
    'A dry run: nothing is sent or written.',
    '',
    ...files.map(readingOf),
    '',
    ...mappingLines(mapping, columns),
    ...(plan.identicalRows === 'separate' ? ['Equal rows of a file are events of their own.'] : []),
    ...previews.flatMap((preview) => ['', ...previewLines(preview, plan.kind)]),
    ...(types.size === 0 ? [] : ['', ...eventTypeLines(types, await weightsAt(gateway))]),
    ...(ignored === undefined ? [] : ['', ignored]),
    ...(plan.observed?.warnings() ?? []).map((warning) => `Warning: ${warning}`),
  ]
  return { lines, status: exitStatusOfRows(totalOf(previews)) }
}

function totalOf(previews: readonly Preview[]): { rows: number; refused: number } {
  const sum = (of: (preview: Preview) => number) => previews.reduce((total, preview) => total + of(preview), 0)
  return { rows: sum(({ rows }) => rows), refused: sum(({ refused }) => refused) }
}
