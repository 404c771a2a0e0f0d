import type { Scope } from '../../store/access/api-key.ts'
import type { Node } from '../../page/template/html.ts'
import type { Filters } from './filters.ts'
import type { PageApi } from './page-api.ts'

/**
 * A view of the page: where it is, who may open it, and how it is made of answers of the API. Its look is a function in src/page/views.
 */
export interface PageView {
  /** Such as /products or /product/:product_id. */
  path: string
  /** Its name in the header. */
  label: string
  /** Whether the header has it: views of one product or seller are reached by links. */
  isInHeader: boolean
  access: Scope
  /** Whether a key or token of one seller may open it: the API then answers for that seller alone. */
  ofSeller?: boolean
  /** Whether it shows what persons did, so that no browser keeps it. */
  isPersonal?: boolean
  /** Whether it is asked again every 2 s while it is visible. */
  isLive?: boolean
  hasChart?: boolean
  /** Filters that the API does not get as they are. One that cannot be is left out, and the view says so. */
  filters?: Filters
  show: (api: PageApi, request: ViewRequest) => Promise<ShownView>
  /** What its forms change, by their field `action`. */
  actions?: Readonly<Record<string, (api: PageApi, request: ActionRequest) => Promise<ActionResult>>>
}

export interface ViewRequest {
  /** Parameters of its path. */
  params: Readonly<Record<string, string>>
  /** Its filters that have a value. Of a repeated one, the first. */
  query: Readonly<Record<string, string>>
  nowMs: number
  /** The scopes of the caller: a part that needs another one is left out. */
  scopes: readonly Scope[]
  /** The seller to which the caller is bound. */
  sellerId: string | null
}

export interface ActionRequest extends ViewRequest {
  /** The fields of the form that have a value. */
  form: Readonly<Record<string, string>>
}

export interface ShownView {
  title: string
  body: Node
  /** 200 if absent. */
  status?: number
}

/**
 * Where the browser goes next; or what it is shown instead, e.g. a secret that is shown once; or why nothing was changed, with a status that is
 * 422 if absent.
 */
export type ActionResult = { goTo: string } | ShownView | { problem: string; status?: number }
