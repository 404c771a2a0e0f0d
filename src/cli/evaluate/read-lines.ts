import type { SequenceCollector } from '../../ranking/evaluation/sequences.ts'
import { StartError } from '../../main/config/start-error.ts'
import { fileProblem } from '../import/source/file-problem.ts'
import { linesOf } from '../import/source/line.ts'
import { bytesOf, sampleOf } from '../import/source/sample.ts'

/** How many lines were left out, because they have no product. */
export interface LinesRead {
  leftOut: number
}

/**
 * Reads a shopper a line: its id, and then product ids in the order of time, between blanks, tabs or commas; or a JSON list of product ids.
 * @param hasIds  false when lines have only product ids: each is a shopper, or a session, of its own
 * @throws StartError when the file cannot be read
 */
export async function readLines(
  path: string,
  { collector, part, hasIds }: { collector: SequenceCollector; part: number; hasIds: boolean },
): Promise<LinesRead> {
  let leftOut = 0
  for await (const { text, number } of linesIn(path)) {
    if (text.trim() === '') continue
    for (const [at, { shopper, products }] of shoppersIn(text, hasIds, path, number).entries()) {
      if (products.length === 0) leftOut += 1
      // Sessions without an id differ from those of another file.
      for (const product of products) collector.add(part, shopper ?? `${path}:${number}:${at}`, product)
    }
  }
  return { leftOut }
}

async function* linesIn(path: string) {
  try {
    const { isCompressed } = await sampleOf(path)
    for await (const lines of linesOf(bytesOf({ path, isCompressed }).bytes, 'utf-8')) yield* lines
  } catch (error) {
    throw error instanceof StartError ? error : fileProblem(path, 'read', error)
  }
}

interface ShopperLine {
  shopper: string | undefined
  products: string[]
}

/** One shopper; a file that is one JSON list of lists has all of them in one line. */
function shoppersIn(text: string, hasIds: boolean, path: string, line: number): ShopperLine[] {
  if (!text.trimStart().startsWith('[')) {
    const words = text.split(/[\s,]+/).filter((word) => word !== '')
    return hasIds ? [{ shopper: words[0], products: words.slice(1) }] : [{ shopper: undefined, products: words }]
  }
  const value = jsonOf(text, path, line)
  const lists = value.every((one) => Array.isArray(one)) ? (value as unknown[][]) : [value]
  return lists.map((list) => ({ shopper: undefined, products: list.map(String) }))
}

function jsonOf(text: string, path: string, line: number): unknown[] {
  try {
    // Lines of a list of lists end with commas.
    return JSON.parse(text.replace(/,\s*$/, '')) as unknown[]
  } catch (cause) {
    throw new StartError(`${path}, line ${line}: it begins like a JSON list, but is none.`, { cause })
  }
}
