import { GA4 } from './ga4.ts'
import { GORSE } from './gorse.ts'
import { OLIST } from './olist.ts'
import { ONLINE_RETAIL } from './online-retail.ts'
import type { Preset } from './preset.ts'
import { REES46 } from './rees46.ts'
import { RETAILROCKET } from './retailrocket.ts'
import { RUDDERSTACK } from './rudderstack.ts'
import { SEGMENT } from './segment.ts'
import { SHOPIFY_ORDERS } from './shopify-orders.ts'

/** Every format that `--preset` knows. */
export const PRESETS: readonly Preset[] = [
  GA4,
  SEGMENT,
  RUDDERSTACK,
  SHOPIFY_ORDERS,
  GORSE,
  REES46,
  RETAILROCKET,
  ONLINE_RETAIL,
  OLIST,
]
