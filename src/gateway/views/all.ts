import type { PageView } from '../page/view.ts'
import { categories } from './categories.ts'
import { hotNow } from './hot-now.ts'
import { product } from './product.ts'
import { products } from './products.ts'
import { searches } from './searches.ts'

/** Every view, in the order of the header. */
export const VIEWS: readonly PageView[] = [hotNow, product, products, categories, searches]
