import { z } from 'zod'
import { type CategoriesPage, categoriesView, type Group } from '../../page/views/categories.ts'
import type { PageView } from '../page/view.ts'

const PATHS: Record<Group, string> = { category: '/api/v1/catalog/categories', brand: '/api/v1/catalog/brands' }

/** Categories or brands with their events and how these changed. */
export const categories: PageView = {
  path: '/categories',
  label: 'Categories',
  isInHeader: true,
  access: 'read',
  filters: { group: z.enum(['category', 'brand']) },
  show: async (api, { query }) => {
    const group: Group = query['group'] === 'brand' ? 'brand' : 'category'
    const { days = '7', cursor } = query
    const list: CategoriesPage['list'] = await api.get(PATHS[group], { days, cursor, limit: 100 })
    return { title: group === 'brand' ? 'Brands' : 'Categories', body: categoriesView({ group, days, cursor, list }) }
  },
}
