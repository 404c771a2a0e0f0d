import { cellOf, isBroken, textOf } from '../../src/cli/import/source/row.ts'
import { rowsOf, sourceFileOf } from '../../src/cli/import/source/source-file.ts'

/** A row of a file with the columns product_id, category_id, category_code and brand; a product may have several. */
export interface CatalogRow {
  productId: string
  category: string
  brand: string | undefined
}

const NO_CATEGORY = 'uncategorised'

/** The rows of a catalog in CSV, also compressed, in their order. */
export async function catalogRows(path: string): Promise<CatalogRow[]> {
  const all: CatalogRow[] = []
  for await (const { rows } of rowsOf(await sourceFileOf(path, {}))) {
    for (const row of rows) {
      if (isBroken(row)) throw new Error(`line ${row.line} of ${path}: ${row.reason}`)
      const cell = (name: string) => textOf(cellOf(row, name))
      const category = cell('category_code') || cell('category_id') || NO_CATEGORY
      all.push({ productId: cell('product_id'), category, brand: cell('brand') || undefined })
    }
  }
  return all
}
