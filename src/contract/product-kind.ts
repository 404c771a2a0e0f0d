import { z } from 'zod'
import { NextCursor, pageCursor, pageLimit } from './fields/page.ts'
import { wholeNumber } from './fields/whole-number.ts'
import { handler } from './handler.ts'

export const KIND_DAYS_MAX = 90
/** So many categories or brands are listed, those with the most events. */
export const KINDS_MAX = 10_000

export const KindsRequest = z.strictObject({
  days: wholeNumber(1, KIND_DAYS_MAX)
    .default(7)
    .describe('Counts events of the last so many times 24 hours, from a whole hour on, and compares them with as many before.'),
  limit: pageLimit(20, 'Rows of the page.'),
  cursor: pageCursor('meta.next_cursor of the previous page, with the same days.'),
})
export type KindsRequest = z.infer<typeof KindsRequest>

const counts = {
  products: z.int().describe('Products that are not deleted.'),
  events: z.int().describe('Events of its products in the window, of all types.'),
  change: z.number().nullable().describe('Of the events, in percent of the window before; null if that has none.'),
}

export const CategoryCount = z.object({ category: z.string(), ...counts })
export type CategoryCount = z.infer<typeof CategoryCount>
export const BrandCount = z.object({ brand: z.string(), ...counts })
export type BrandCount = z.infer<typeof BrandCount>

const KindsMeta = z.object({
  from: z.iso.datetime().describe('Where the window begins.'),
  to: z.iso.datetime().describe('When the events were counted.'),
  next_cursor: NextCursor,
})
export type KindsMeta = z.infer<typeof KindsMeta>

const META = { from: '2026-02-22T12:00:00.000Z', to: '2026-03-01T12:00:30.000Z', next_cursor: null }
const COUNTS = { products: 12, events: 340, change: 13.33 }

export const CategoriesResponse = z
  .object({ data: z.array(CategoryCount), meta: KindsMeta })
  .meta({ examples: [{ data: [{ category: 'lighting', ...COUNTS }], meta: META }] })
export type CategoriesResponse = z.infer<typeof CategoriesResponse>

export const BrandsResponse = z
  .object({ data: z.array(BrandCount), meta: KindsMeta })
  .meta({ examples: [{ data: [{ brand: 'Lumen', ...COUNTS }], meta: META }] })
export type BrandsResponse = z.infer<typeof BrandsResponse>

export const productKindHandlers = {
  Categories: handler({
    input: KindsRequest,
    output: CategoriesResponse,
    description: 'The categories of the catalog with their products and events, and the change since the window before.',
  }),
  Brands: handler({ input: KindsRequest, output: BrandsResponse, description: 'The same of brands.' }),
}
