import { readFile } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'
import { StartError } from '../../main/config/start-error.ts'
import { fileProblem } from '../import/source/file-problem.ts'
import { isGzip } from '../import/source/file-type.ts'

/** The attributes of products, by their ids: whole numbers or names, e.g. categories and a brand. */
export type AttributesById = ReadonlyMap<string, readonly (string | number)[]>

/** Reads `{"<product id>": [<attribute>, …], …}`. @throws StartError when the file cannot be read, or has another form */
export async function readAttributes(path: string): Promise<AttributesById> {
  const value = await jsonOf(path)
  const isForm =
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((list) => Array.isArray(list))
  if (!isForm) throw new StartError(`${path} is not an object of product ids with their lists of attributes.`)
  return new Map(Object.entries(value as Record<string, (string | number)[]>))
}

async function jsonOf(path: string): Promise<unknown> {
  try {
    const bytes = await readFile(path)
    return JSON.parse((isGzip(bytes) ? gunzipSync(bytes) : bytes).toString('utf8')) as unknown
  } catch (error) {
    throw fileProblem(path, 'read', error)
  }
}

/** The attributes of each product, as whole numbers. */
export function attributeLists(products: readonly string[], attributes: AttributesById): number[][] {
  const numbers = new Map<string | number, number>()
  const numberOf = (attribute: string | number) => {
    const known = numbers.get(attribute)
    if (known !== undefined) return known
    numbers.set(attribute, numbers.size)
    return numbers.size - 1
  }
  return products.map((product) => (attributes.get(product) ?? []).map(numberOf))
}
