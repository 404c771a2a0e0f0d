import type { PageView } from '../page/view.ts'
import { hotNow } from './hot-now.ts'

/** Every view, in the order of the header. */
export const VIEWS: readonly PageView[] = [hotNow]
