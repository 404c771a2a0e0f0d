import { randomBytes } from 'node:crypto'
import { uuidV7 } from '../contract/fields/event-id.ts'
import { catalogApi, similarityRunApi } from '../contract/services.ts'
import type {
  CancelSimilarityRun,
  PromoteSimilarityVersion,
  SimilarityRun,
  SimilarityVersion,
  StartSimilarityRun,
} from '../contract/similarity-run.ts'
import type { PromoteSimilaritySettings, SimilaritySettings } from '../contract/similarity-settings.ts'
import type { Ingress } from './clients.ts'

/** Runs that compute similar products: durable calls. A decision of the handler is thrown as an HttpCallError, see `refusalOf`. */
export interface SimilarityRuns {
  start: (request: StartSimilarityRun) => Promise<SimilarityRun>
  cancel: (id: string, request: CancelSimilarityRun) => Promise<SimilarityRun>
  status: (id: string) => Promise<SimilarityRun>
  promote: (request: PromoteSimilarityVersion) => Promise<SimilarityVersion>
  promoteSettings: (request: PromoteSimilaritySettings) => Promise<SimilaritySettings>
}

export function createSimilarityRunsClient(ingress: Ingress): SimilarityRuns {
  return {
    start: (request) => ingress.call(similarityRunApi, 'Start', request, { key: uuidV7(Date.now(), randomBytes(10)) }),
    cancel: (id, request) => ingress.call(similarityRunApi, 'Cancel', request, { key: id }),
    status: (id) => ingress.read(similarityRunApi, 'Status', {}, { key: id }),
    promote: (request) => ingress.call(catalogApi, 'PromoteSimilarity', request),
    promoteSettings: (request) => ingress.call(catalogApi, 'PromoteSimilaritySettings', request),
  }
}
