import { iface } from '@restatedev/restate-sdk-core'
import { accessHandlers } from './access.ts'
import { alertHandlers } from './alert.ts'
import { alertDeliveryHandlers, alertReplayHandlers } from './alert-delivery.ts'
import { analyticsEventHandlers } from './analytics-event.ts'
import { erasureHandlers, erasureLaneHandlers } from './erasure.ts'
import { fanOutHandlers } from './fan-out.ts'
import { interactionHandlers } from './interaction.ts'
import { paymentHandlers } from './payment.ts'
import { popularListHandlers } from './popular-list.ts'
import { explanationHandlers } from './explanation.ts'
import { popularityHandlers } from './popularity.ts'
import { webhookHandlers } from './payment-webhook.ts'
import { pingHandlers } from './ping.ts'
import { preferencesHandlers } from './preferences.ts'
import { catalogHandlers } from './product.ts'
import { productMetricsHandlers } from './product-metrics.ts'
import { recommendationHandlers } from './recommendation.ts'
import { recomputeRunHandlers, reportWindowHandlers } from './recompute-run.ts'
import { recorderHandlers, recorderRoomHandlers, setAsideHandlers } from './recorder.ts'
import { rejectedHandlers } from './rejected.ts'
import { replayRunHandlers } from './replay-run.ts'
import { reportHandlers } from './report.ts'
import { rerankHandlers } from './rerank.ts'
import { scheduleHandlers, taskHandlers } from './schedule.ts'
import { searchHandlers } from './search.ts'
import { exportHandlers } from './person-export.ts'
import { mergeHandlers, mergeLaneHandlers } from './shopper-merge.ts'
import { sellerHandlers } from './seller-dashboard.ts'
import { productKindHandlers } from './product-kind.ts'
import { productSearchHandlers } from './product-search.ts'
import { sellerListHandlers } from './seller-list.ts'
import { similarProductHandlers } from './similar-product.ts'
import { similarityRunHandlers, similarityVersionHandlers } from './similarity-run.ts'
import { similaritySettingsHandlers } from './similarity-settings.ts'
import { shopperContextHandlers } from './shopper-context.ts'
import { verificationRunHandlers } from './verification-run.ts'
import { verifyHandlers } from './verify.ts'

/* Restate's services. Each handler is described next to the schemas of its noun. */

export const analyticApi = iface.service('Analytic', {
  ...interactionHandlers,
  ...searchHandlers,
  ...paymentHandlers,
  ...webhookHandlers,
  ...sellerHandlers,
  ...sellerListHandlers,
  ...analyticsEventHandlers,
  ...reportHandlers,
  ...rejectedHandlers,
  ...verifyHandlers,
  ...fanOutHandlers,
  ...pingHandlers,
})

export const popularityApi = iface.service('Popularity', {
  ...popularityHandlers,
  ...popularListHandlers,
  ...explanationHandlers,
})

export const catalogApi = iface.service('Catalog', {
  ...catalogHandlers,
  ...productSearchHandlers,
  ...productKindHandlers,
  ...productMetricsHandlers,
  ...preferencesHandlers,
  ...similarProductHandlers,
  ...similarityVersionHandlers,
  ...similaritySettingsHandlers,
  ...recommendationHandlers,
  ...rerankHandlers,
})

export const shopperApi = iface.service('Shopper', { ...shopperContextHandlers, ...mergeHandlers, ...exportHandlers })

export const mergeLaneApi = iface.object('MergeLane', mergeLaneHandlers)

/** Records one call after the other, each with the answer of Analytic or Catalog. */
export const recorderApi = iface.object('Recorder', recorderHandlers)

/** Calls that failed in a recorder for another reason than an outage: paused until an operator resumes them. */
export const setAsideApi = iface.service('SetAside', setAsideHandlers)

/** What gateways may have waiting in the recorder with the same key. */
export const recorderRoomApi = iface.object('RecorderRoom', recorderRoomHandlers)

export const recomputeRunApi = iface.object('RecomputeRun', recomputeRunHandlers)

export const reportWindowApi = iface.object('ReportWindow', reportWindowHandlers)

export const similarityRunApi = iface.object('SimilarityRun', similarityRunHandlers)

export const verificationRunApi = iface.object('VerificationRun', verificationRunHandlers)
/** Replays of rejected events by their code. */
export const replayRunApi = iface.object('ReplayRun', replayRunHandlers)

export const erasureApi = iface.object('Erasure', erasureHandlers)

export const erasureLaneApi = iface.object('ErasureLane', erasureLaneHandlers)

export const alertApi = iface.service('Alert', { ...alertHandlers, ...alertReplayHandlers })

/** Sends the deliveries of one alert. */
export const alertDeliveryApi = iface.object('AlertDelivery', alertDeliveryHandlers)

/** Keys and sessions, as the gateway changes them. */
export const accessApi = iface.service('Access', accessHandlers)

export const scheduleApi = iface.object('Schedule', scheduleHandlers)

export const taskApi = iface.object('Task', taskHandlers)

/** Every service, in the order of the documentation. */
export const SERVICE_APIS = [
  analyticApi,
  popularityApi,
  catalogApi,
  shopperApi,
  mergeLaneApi,
  recorderApi,
  setAsideApi,
  recorderRoomApi,
  recomputeRunApi,
  reportWindowApi,
  similarityRunApi,
  verificationRunApi,
  replayRunApi,
  erasureApi,
  erasureLaneApi,
  alertApi,
  alertDeliveryApi,
  accessApi,
  scheduleApi,
  taskApi,
] as const

export const SERVICE_NAMES: readonly string[] = SERVICE_APIS.map(({ name }) => name)
