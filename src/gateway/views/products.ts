import type { SearchProductsResponse } from '../../contract/product-search.ts'
import { productsView } from '../../page/views/products.ts'
import type { PageView } from '../page/view.ts'

const FILTERS = ['query', 'category', 'brand', 'seller_id', 'status', 'seen', 'cursor']
const ROWS = 50

/** The catalog: search, and what was never seen or is hidden. */
export const products: PageView = {
  path: '/products',
  label: 'Products',
  isInHeader: true,
  access: 'read',
  show: async (api, { query, nowMs }) => {
    const asked = Object.fromEntries(Object.entries(query).filter(([name]) => FILTERS.includes(name)))
    const list = await api.get<SearchProductsResponse>('/api/v1/catalog/products', { ...asked, limit: ROWS })
    return { title: 'Products', body: productsView({ query: asked, list, nowMs }) }
  },
}
