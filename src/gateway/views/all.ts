import type { PageView } from '../page/view.ts'
import { categories } from './categories.ts'
import { hotNow } from './hot-now.ts'
import { keys } from './keys.ts'
import { operations } from './operations.ts'
import { product } from './product.ts'
import { products } from './products.ts'
import { quality } from './quality.ts'
import { recommendations } from './recommendations.ts'
import { reports } from './reports.ts'
import { searches } from './searches.ts'
import { seller } from './seller.ts'
import { sellers } from './sellers.ts'
import { shoppers } from './shoppers.ts'
import { stock } from './stock.ts'

/** Every view, in the order of the header. */
export const VIEWS: readonly PageView[] = [
  hotNow,
  product,
  products,
  categories,
  searches,
  sellers,
  seller,
  shoppers,
  reports,
  stock,
  recommendations,
  quality,
  operations,
  keys,
]
