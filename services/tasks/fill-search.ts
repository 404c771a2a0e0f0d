import { fillSearch } from '../../src/store/catalog/search-fill.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

export const FILL_SEARCH: Task = {
  description: 'adds products to the search of the catalog that were there before it; does nothing afterwards',
  everyMs: 60_000,
  isOn: () => true,
  run: async ({ background }, ctx) => {
    let isLeft: boolean
    do isLeft = await step(ctx, 'fill the search', () => fillSearch(background))
    while (isLeft)
  },
}
