import type { z } from 'zod'
import { isIdIn } from '../../../contract/fields/read-as.ts'
import { textOf } from '../source/row.ts'
import { Unreadable } from './unreadable.ts'

/** A cell as the text of an id, a name or a category. A list or an object is no text, because each of its forms would be another id. */
export function readText(cell: unknown): string | Unreadable {
  if (Array.isArray(cell)) {
    return new Unreadable('is a list and not a text (the path of a value, e.g. products[].id, gives an item for each element)')
  }
  if (typeof cell === 'object' && cell !== null) {
    return new Unreadable('is an object and not a text (give the path of a value in it, e.g. product.id)')
  }
  return textOf(cell)
}

/** A cell as the text of a field. For an id a number stays, because the contract knows which numbers lost digits. */
export function readTextOrId(shape: Readonly<Record<string, z.core.$ZodType>>, field: string, cell: unknown): unknown {
  return typeof cell !== 'object' && isIdIn(shape, field) ? cell : readText(cell)
}
